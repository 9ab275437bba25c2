#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

struct NetworkCounters {
  // Devices that carry bytes of their own: everything but lo, IPoIB (its bytes are the HCA's) and devices
  // that only pass on to a lower one (bond, bridge, vlan, ...), which would count twice.
  std::uint64_t sent = 0, received = 0;
  std::uint64_t ipoib_sent = 0, ipoib_received = 0;  // of the IPoIB devices that were asked for
};

// Sums over the caller's network namespace. `ipoib` names the IPoIB devices to count. Empty: the namespace is
// one that was made for tasks, where what lies below an interface is elsewhere, so every interface counts,
// whatever a mode has put there.
Result<NetworkCounters> network_counters(const std::optional<std::vector<std::string>>& ipoib);

}  // namespace cib
