// Whether a step is spread over a node or packed on a part of it.
#pragma once

#include <vector>

#include "container_ib/placement.hpp"

namespace cib {

// True when no NUMA node has more tasks than its share, of the nodes or of the CPUs. Such a step is taken to
// have the node for itself and to be after its whole bandwidth. A packed step leaves the far ports, in doubt,
// to the jobs on the rest of the node.
bool is_spread(const Inventory& node, const std::vector<LocalTask>& tasks);

}  // namespace cib
