// A short text that two computations of one plan share, and others very likely do not.
#pragma once

#include <string>
#include <vector>

#include "container_ib/placement.hpp"

namespace cib {

// `ports` is sorted, `tasks` ascending: the hash does not depend on the order of the inputs.
std::string plan_hash(const Inventory& node, const std::vector<Port>& ports,
                      const std::vector<LocalTask>& tasks, const PlacementOptions& options,
                      const std::vector<TaskPlacement>& placed, const std::vector<std::string>& placed_ports);

}  // namespace cib
