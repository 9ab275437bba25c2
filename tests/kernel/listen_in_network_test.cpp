#include "adapters/linux/listen_in_network.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>

#include "kernel/sockets.hpp"

namespace cib::test {
namespace {

std::uint64_t network_inode(const char* process) {
  struct stat ns {};
  return ::stat(("/proc/" + std::string(process) + "/ns/net").c_str(), &ns) == 0 ? ns.st_ino : 0;
}

bool connects(const TcpEndpoint& endpoint) {
  const SocketAddress address(endpoint);
  const UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(fd.get(), address.get(), address.size()) == 0;
}

struct ListenInNetwork : testing::Test {
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_TRUE(enter_new_network()) << std::strerror(errno);
    task_ = std::make_unique<Child>([] {
      if (!enter_new_network()) ::_exit(1);
    });
    network_ = network_of(task_->pid());
  }
  // Whether somebody in the task's network reaches that endpoint.
  bool task_connects(const TcpEndpoint& endpoint) const {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(::setns(network_.get(), CLONE_NEWNET) == 0 && connects(endpoint) ? 0 : 1);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  std::unique_ptr<Child> task_;
  UniqueFd network_;
};

TEST_F(ListenInNetwork, TheSocketIsThereAndNotHere) {
  const auto before = network_inode("self");
  for (const TcpEndpoint& endpoint : {v4(40000), v4(40000, 9), v6(40000)}) {
    const auto socket = listen_in_network(network_.get(), endpoint);
    ASSERT_TRUE(socket.ok()) << socket.error().message();
    EXPECT_EQ(::fcntl(socket->get(), F_GETFD), FD_CLOEXEC);
    EXPECT_NE(::fcntl(socket->get(), F_GETFL) & O_NONBLOCK, 0) << "accept would block the relay";
    EXPECT_TRUE(task_connects(endpoint)) << endpoint.text();
    pollfd p{.fd = socket->get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&p, 1, 1000), 1) << "nothing to accept here";
    EXPECT_FALSE(connects(endpoint)) << endpoint.text();
  }
  EXPECT_EQ(network_inode("self"), before) << "this process has changed its network";
}

TEST_F(ListenInNetwork, TheQueueIsBounded) {
  const auto socket = listen_in_network(network_.get(), v4(40000));
  ASSERT_TRUE(socket.ok()) << socket.error().message();
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setns(network_.get(), CLONE_NEWNET) != 0) ::_exit(1);
    const SocketAddress address(v4(40000));
    int waiting = 0;
    for (int i = 0; i < 200; ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      (void)::connect(fd, address.get(), address.size());
      pollfd p{.fd = fd, .events = POLLOUT, .revents = 0};
      if (::poll(&p, 1, 50) != 1) break;
      ++waiting;
    }
    ::_exit(waiting >= 64 && waiting < 70 ? 0 : 2);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(ListenInNetwork, AnAddressInUseIsTheExactError) {
  const auto first = listen_in_network(network_.get(), v4(40000));
  ASSERT_TRUE(first.ok()) << first.error().message();
  const auto second = listen_in_network(network_.get(), v4(40000));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().sys_errno, EADDRINUSE);
  EXPECT_THAT(second.error().message(), testing::HasSubstr("127.0.0.1:40000"));
}

TEST_F(ListenInNetwork, WhatIsNoNetworkNamespaceIsRefused) {
  const UniqueFd mounts(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(listen_in_network(mounts.get(), v4(40000)).error().sys_errno, EINVAL);
}

}  // namespace
}  // namespace cib::test
