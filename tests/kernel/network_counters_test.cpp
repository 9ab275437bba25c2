#include "adapters/netlink/network_counters.hpp"

#include <sched.h>

#include <optional>
#include <string>
#include <vector>

#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

// Each in a child, so that the test's own network namespace stays what it is.
int in_new_network(const char* script, bool (*holds)(const NetworkCounters&),
                   const std::optional<std::vector<std::string>>& ipoib = std::vector<std::string>()) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::unshare(CLONE_NEWNET) != 0) ::_exit(77);
    if (std::system(script) != 0) ::_exit(2);
    const auto counters = network_counters(ipoib);
    ::_exit(counters.ok() && holds(*counters) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(NetworkCounters, LoopbackIsNoNetwork) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(in_new_network("ip link set lo up && bash -c 'echo x > /dev/udp/127.0.0.1/9'",
                           [](const NetworkCounters& c) { return c.sent == 0 && c.received == 0; }),
            0);
}

TEST(NetworkCounters, BytesThroughAVethCountOnceAlthoughABridgeIsAboveIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  // Without IPv6, whose own packets would come between the two readings.
  const char* script =
      "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 && ip link add br0 type bridge && ip link add "
      "va type veth peer name vb && ip link set va master br0 && "
      "ip link set va up && ip link set vb up && ip link set br0 up && ip addr add 10.9.9.1/24 dev br0 && "
      "bash -c 'echo x > /dev/udp/10.9.9.2/9'";
  EXPECT_EQ(
      in_new_network(script, [](const NetworkCounters& c) { return c.sent > 0 && c.sent == c.received; }), 0)
      << "what one end sends the other receives; a bridge that counted too would break that";
}

// Such as a mode gives its tasks: macvlan, for example, which lies on an interface of the node's.
TEST(NetworkCounters, InANetworkMadeForTasksEveryInterfaceCounts) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const char* script =
      "ip link add va type veth peer name vb && ip link add link va name mv type macvlan && ip link set va "
      "up && "
      "ip link set vb up && ip link set mv up && ip addr add 10.9.9.1/24 dev mv && "
      "sleep 0.1 && bash -c 'echo x > /dev/udp/10.9.9.2/9'";
  const auto more_than_both_ends = [](const NetworkCounters& c) { return c.sent > c.received; };
  EXPECT_EQ(in_new_network(script, more_than_both_ends, std::nullopt), 0) << "macvlan sends too";
  EXPECT_NE(in_new_network(script, more_than_both_ends), 0) << "on a node it would count twice";
}

}  // namespace
}  // namespace cib::test
