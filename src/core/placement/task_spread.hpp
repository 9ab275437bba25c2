// The shape of a step on its node: spread over it or packed on a part, and where it begins.
#pragma once

#include <vector>

#include "container_ib/placement.hpp"

namespace cib {

// True when no NUMA node has more tasks than its share, of the nodes or of the CPUs. Such a step is taken to
// have the node for itself and to be after its whole bandwidth. A packed step leaves the far ports, in doubt,
// to the jobs on the rest of the node.
bool is_spread(const Inventory& node, const std::vector<LocalTask>& tasks);

// Where the step begins within its NUMA node, from 0 to below 1: jobs that share a node break ties
// differently, and the steps of one job alike.
double start_within_node(const Inventory& node, const std::vector<LocalTask>& tasks);

}  // namespace cib
