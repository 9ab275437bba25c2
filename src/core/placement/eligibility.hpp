// Which ports may serve MPI at all, and why the others may not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "container_ib/placement.hpp"

namespace cib {

// Ports that can reach each other: an InfiniBand subnet, or Ethernet.
struct Fabric {
  bool ethernet = false;
  std::uint64_t prefix = 0;

  auto operator<=>(const Fabric&) const = default;
};

Fabric fabric_of(const Port& port);

// A rate that can be computed with: 0 when unknown or absurd.
double usable_rate(const Port& port);

// One reason per port in the order of `ports`, empty when it is eligible. `ports` is sorted, `physical` is
// from connectors_of().
std::vector<std::string> reasons_against(const std::vector<Port>& ports,
                                         const std::vector<std::string>& physical,
                                         const PlacementOptions& options);

}  // namespace cib
