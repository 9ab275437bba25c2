#include "adapters/netlink/network_counters.hpp"

#include <net/if_arp.h>

#include <algorithm>

#include "adapters/netlink/links.hpp"

namespace cib {

namespace {

constexpr int counters_timeout_s = 2;  // slurmstepd waits for the report, 3 s

// Physical devices have no kind.
bool carries_bytes_of_its_own(const Link& link) { return link.kind.empty() || link.kind == "veth"; }

}  // namespace

Result<NetworkCounters> network_counters(const std::optional<std::vector<std::string>>& ipoib) {
  CIB_TRY(auto links, Links::open(counters_timeout_s));
  CIB_TRY(const auto all, links.list());
  NetworkCounters sum;
  for (const Link& link : all) {
    if (link.type == ARPHRD_LOOPBACK) continue;
    if (link.type == ARPHRD_INFINIBAND) {
      if (ipoib && std::find(ipoib->begin(), ipoib->end(), link.name) == ipoib->end()) continue;
      sum.ipoib_sent += link.sent;
      sum.ipoib_received += link.received;
    } else if (!ipoib || carries_bytes_of_its_own(link)) {
      sum.sent += link.sent;
      sum.received += link.received;
    }
  }
  return sum;
}

}  // namespace cib
