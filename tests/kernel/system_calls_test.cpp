// The agent's filter on this kernel: what is not in its table is refused, what every part of it needs is not.
#include "agent/system_calls.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace cib::test {
namespace {

// errno of `call` in a process under the filter; 0 when it went well, -1 when the filter could not be loaded.
template <class Call>
int confined(Call call, Status (*limit)() = allow_only_needed_calls) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() != 0) ::_exit(254);
    if (!limit().ok()) ::_exit(255);
    errno = 0;
    ::_exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) < 254 ? WEXITSTATUS(status) : -1;
}

class SystemCalls : public testing::Test {
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, or no_new_privs";
  }
};

long execute() {
  char name[] = "/bin/true";
  char* const argv[] = {name, nullptr};
  char* const environment[] = {nullptr};
  return ::execve(name, argv, environment);
}

long fork_and_wait() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  return child < 0 ? -1 : ::waitpid(child, nullptr, 0);
}

TEST_F(SystemCalls, OthersAreRefused) {
  EXPECT_EQ(confined(execute), ENOSYS);
  EXPECT_EQ(confined([] { return ::syscall(SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0); }),
            ENOSYS);
  EXPECT_EQ(confined([] { return ::unshare(CLONE_NEWUSER); }), ENOSYS);
  EXPECT_EQ(confined([] { return ::unshare(CLONE_NEWNET | CLONE_NEWNS); }), ENOSYS);
  EXPECT_EQ(confined([] { return ::syscall(SYS_init_module, nullptr, 0, ""); }), ENOSYS);
  EXPECT_EQ(confined([] { return ::syscall(SYS_bpf, 0, nullptr, 0); }), ENOSYS);
  EXPECT_EQ(confined([] { return ::syscall(SYS_process_vm_readv, 1, nullptr, 0, nullptr, 0, 0); }), ENOSYS);
  EXPECT_EQ(confined([] { return ::setuid(0); }), ENOSYS);
  EXPECT_EQ(confined([] { return ::chroot("/"); }), ENOSYS);
}

TEST_F(SystemCalls, SocketsAreOnlyOfTheFamiliesThatItUses) {
  const auto open_socket = [](int family) {
    return confined([family] { return ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0); });
  };
  EXPECT_EQ(open_socket(AF_PACKET), ENOSYS);
  EXPECT_EQ(open_socket(AF_VSOCK), ENOSYS);
  EXPECT_EQ(open_socket(AF_INET), 0);
  EXPECT_EQ(open_socket(AF_UNIX), 0);
  EXPECT_EQ(confined([] { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0); }), 0);
}

TEST_F(SystemCalls, PrctlIsOnlyForTheDeathSignal) {
  EXPECT_EQ(confined([] { return ::prctl(PR_SET_PDEATHSIG, SIGKILL); }), 0);
  EXPECT_EQ(confined([] { return ::prctl(PR_SET_NAME, "other"); }), ENOSYS);
}

TEST_F(SystemCalls, AForkMakesNoNamespace) {
  const auto clone_with = [](unsigned long flags) {
    return confined([flags] {
      const long child = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
      if (child == 0) ::_exit(0);
      return child;
    });
  };
  EXPECT_EQ(clone_with(CLONE_NEWUSER), ENOSYS);
  EXPECT_EQ(clone_with(CLONE_NEWNS), ENOSYS);
  EXPECT_EQ(clone_with(0), 0);
  EXPECT_EQ(confined(fork_and_wait), 0);
}

TEST_F(SystemCalls, FilesAndNamespacesAreAllowed) {
  EXPECT_EQ(confined([] { return ::open("/proc/self/status", O_RDONLY | O_CLOEXEC); }), 0);
  EXPECT_EQ(confined([] {
              const int own = ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
              return ::setns(own, CLONE_NEWNS);
            }),
            0);
}

TEST_F(SystemCalls, TheRelayOpensNoFileAndStartsNoProcess) {
  const auto refused = [](auto call) { return confined(call, allow_only_calls_of_relay) == ENOSYS; };
  EXPECT_TRUE(refused(execute));
  EXPECT_TRUE(refused([] { return ::syscall(SYS_pidfd_open, ::getpid(), 0U); }));
  EXPECT_TRUE(refused([] { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0); }));
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_TRUE(refused(fork_and_wait));
  EXPECT_TRUE(refused([] { return ::open("/proc/self/status", O_RDONLY | O_CLOEXEC); }));
#endif
  EXPECT_EQ(
      confined([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }, allow_only_calls_of_relay),
      0);
}

TEST_F(SystemCalls, ThereIsNoWayBack) {
  EXPECT_EQ(confined([] {
              (void)allow_only_needed_calls();  // a second filter can only take away
              return execute();
            }),
            ENOSYS);
  EXPECT_EQ(confined([] { return fork_and_wait() < 0 ? -1 : execute(); }), ENOSYS)
      << "children are not freed";
}

}  // namespace
}  // namespace cib::test
