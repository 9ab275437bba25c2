// How near a port is to a task or a GPU, in the classes of nvidia-smi topo.
#pragma once

#include <string_view>
#include <vector>

#include "container_ib/placement.hpp"

namespace cib {

enum class Nearness {
  one_bridge,     // PIX: below one PCI bridge
  bridges,        // PXB: several PCI bridges
  host_bridge,    // PHB: the same host bridge
  numa_node,      // NODE: the same NUMA node
  package,        // PKG: another NUMA node of the package
  other_package,  // SYS
  unknown,
};

std::string_view nearness_code(Nearness nearness);  // "NODE"; "?" when unknown
std::string_view nearness_text(Nearness nearness);  // "same NUMA node"

// Per task, or per GPU of the node, and then per port of `ports` (indexes in Inventory::ports). Tasks by
// their CPUs; one that is in several NUMA nodes is as far as the farthest of them.
using NearnessMatrix = std::vector<std::vector<Nearness>>;
NearnessMatrix nearness_of_tasks(const Inventory& node, const std::vector<LocalTask>& tasks,
                                 const std::vector<std::size_t>& ports);
NearnessMatrix nearness_of_gpus(const Inventory& node, const std::vector<std::size_t>& ports);

}  // namespace cib
