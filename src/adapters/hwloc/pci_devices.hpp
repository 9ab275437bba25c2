// Where a PCI device is in an hwloc topology.
#pragma once

#include <hwloc.h>

#include <string>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

class PciDevices {
 public:
  using Attributes = hwloc_obj_attr_u::hwloc_pcidev_attr_s;

  // Both outlive it.
  PciDevices(hwloc_topology_t topology, const std::vector<NumaNode>& nodes)
      : topology_(topology), nodes_(nodes) {}

  // The NUMA nodes that a PCI or OS device is local to; empty when that is unknown.
  std::vector<unsigned> numa_of(hwloc_obj_t device) const;
  // The bridges above, host bridge first. What is below one of them is named by it.
  static std::vector<std::string> path_of(hwloc_obj_t device);
  static PciAddress address_of(const Attributes& pci) {
    return {pci.domain, pci.bus, static_cast<std::uint8_t>(pci.dev), static_cast<std::uint8_t>(pci.func)};
  }

 private:
  bool has_several_cpu_nodes() const;

  hwloc_topology_t topology_;
  const std::vector<NumaNode>& nodes_;
};

}  // namespace cib
