// A loaded hwloc topology and its owner.
#pragma once

#include <hwloc.h>

#include <memory>

#include "container_ib/inventory.hpp"
#include "container_ib/result.hpp"

namespace cib {

struct TopologyDeleter {
  void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, TopologyDeleter>;

// Loads what placement needs and nothing that costs time or binds the caller. Changes HWLOC_* in the
// environment: meant for a process of its own.
Result<Topology> load_topology(const InventorySource& source);

}  // namespace cib
