// hwloc's view of a node as an Inventory: NUMA nodes, distances, cores, GPUs, RDMA devices.
#pragma once

#include "container_ib/inventory.hpp"

namespace cib {

Result<Inventory> read_topology(const InventorySource& source);

}  // namespace cib
