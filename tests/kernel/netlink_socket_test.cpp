#include "adapters/netlink/netlink_socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

namespace cib {
namespace {

TEST(NetlinkSocket, AProtocolThatTheKernelHasNotIsNamed) {
  const auto unknown = NetlinkSocket::open(MAX_LINKS - 1);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, Errc::unsupported);
  EXPECT_EQ(unknown.error().message(), "this kernel has no netlink protocol 31");
}

// Where it has InfiniBand there is nothing to see.
TEST(NetlinkSocket, AKernelWithoutInfinibandIsToldWithItsModule) {
  const auto rdma = NetlinkSocket::open(NETLINK_RDMA);
  if (rdma.ok()) GTEST_SKIP() << "this kernel has RDMA";
  EXPECT_EQ(rdma.error().message(), "this kernel has no RDMA subsystem; see 'modprobe ib_core'");
}

}  // namespace
}  // namespace cib
