#include "adapters/netlink/listening_ports.hpp"

#include <gmock/gmock.h>

#include "adapters/linux/process.hpp"
#include "kernel/sockets.hpp"

namespace cib::test {
namespace {

// Each case is in a network of its own, so that no port is anybody else's.
struct ListeningPorts : testing::Test {
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_TRUE(enter_new_network()) << std::strerror(errno);
  }
};

// A child that listens on what `open` returns and on nothing of ours.
template <class Open>
Child serving(Open open) {
  return Child([&] {
    static std::vector<UniqueFd> sockets;
    sockets = open();
    for (const UniqueFd& socket : sockets)
      if (!socket) ::_exit(1);
  });
}

std::vector<UniqueFd> only(UniqueFd socket) {
  std::vector<UniqueFd> sockets;
  sockets.push_back(std::move(socket));
  return sockets;
}

Status check(const Child& child, const TcpEndpoint& endpoint) {
  return check_listening(open_pidfd(child.pid()).value().get(), endpoint);
}

TEST_F(ListeningPorts, AreThoseOfTheProcessAndNoOthers) {
  const UniqueFd ours = listener(v4(40000));
  ASSERT_TRUE(ours.valid());
  const Child child = serving([] {
    auto sockets = only(listener(v4(40001)));
    sockets.push_back(listener(v6(40002)));
    return sockets;
  });
  // The child inherited our socket by fork, so a third process is what does not have it.
  Child stranger([&] { (void)::close_range(3, ~0U, 0); });
  const auto served = listening_endpoints(open_pidfd(child.pid()).value().get());
  ASSERT_TRUE(served.ok()) << served.error().message();
  EXPECT_THAT(*served, testing::UnorderedElementsAre(v4(40000), v4(40001), v6(40002)));
  EXPECT_THAT(listening_endpoints(open_pidfd(stranger.pid()).value().get()).value(), testing::IsEmpty());
  EXPECT_TRUE(check(child, v4(40001)).ok());
  const auto refused = check(stranger, v4(40000));
  ASSERT_FALSE(refused.ok()) << "somebody else's service would be within reach";
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_THAT(refused.error().message(), testing::HasSubstr("127.0.0.1:40000"));
}

TEST_F(ListeningPorts, TheAddressAndTheFamilyMatterAndNotThePortAlone) {
  const Child child = serving([] { return only(listener(v4(40001, 2))); });
  EXPECT_TRUE(check(child, v4(40001, 2)).ok());
  EXPECT_FALSE(check(child, v4(40001, 1)).ok());
  EXPECT_FALSE(check(child, v6(40001)).ok());
}

TEST_F(ListeningPorts, AWildcardListenerServesTheLoopbackAddressesOfItsFamily) {
  const Child child = serving([] {
    auto sockets = only(listener({.family = IpFamily::v4, .address = {}, .port = 40001}));
    sockets.push_back(listener({.family = IpFamily::v6, .address = {}, .port = 40002}));
    sockets.push_back(listener({.family = IpFamily::v6, .address = {}, .port = 40003}, false));
    return sockets;
  });
  EXPECT_TRUE(check(child, v4(40001)).ok());
  EXPECT_FALSE(check(child, v6(40001)).ok());
  EXPECT_TRUE(check(child, v6(40002)).ok());
  EXPECT_FALSE(check(child, v4(40002)).ok()) << "IPV6_V6ONLY";
  EXPECT_TRUE(check(child, v6(40003)).ok());
  EXPECT_TRUE(check(child, v4(40003)).ok()) << "of both families";
}

TEST_F(ListeningPorts, ASocketThatIsBoundOrConnectedDoesNotListen) {
  const UniqueFd elsewhere = listener(v4(40000));
  Child stranger([&] {
    (void)::close_range(3, ~0U, 0);
    const SocketAddress own(v4(40001)), other(v4(40000));
    const int bound = ::socket(AF_INET, SOCK_STREAM, 0), connected = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::bind(bound, own.get(), own.size()) != 0 || ::connect(connected, other.get(), other.size()) != 0)
      ::_exit(1);
  });
  EXPECT_FALSE(check(stranger, v4(40001)).ok());
  EXPECT_FALSE(check(stranger, v4(40000)).ok());
}

TEST_F(ListeningPorts, AListenerInAnotherNetworkIsNotHere) {
  const Child child = serving([] {
    if (!enter_new_network()) ::_exit(1);
    return only(listener(v4(40001)));
  });
  EXPECT_EQ(check(child, v4(40001)).error().code, Errc::denied);
}

TEST_F(ListeningPorts, AmongManyListenersTheRightOneIsFound) {
  std::vector<UniqueFd> ours;
  for (std::uint16_t port = 20000; port < 20500; ++port) ours.push_back(listener(v4(port)));
  Child child([&] {
    for (UniqueFd& socket : ours) socket.reset();
    static UniqueFd own = listener(v4(30000));
  });
  const auto served = listening_endpoints(open_pidfd(child.pid()).value().get());
  ASSERT_TRUE(served.ok()) << served.error().message();
  EXPECT_THAT(*served, testing::ElementsAre(v4(30000)));
}

TEST_F(ListeningPorts, OfAnEndedProcessThereAreNone) {
  Child child([] {});
  const UniqueFd pidfd = open_pidfd(child.pid()).value();
  child.end();
  EXPECT_EQ(listening_endpoints(pidfd.get()).error().code, Errc::ended);
}

TEST_F(ListeningPorts, WhatIsNoPidfdIsRefused) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(listening_endpoints(null.get()).ok());
}

}  // namespace
}  // namespace cib::test
