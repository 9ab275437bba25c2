#include "pci_devices.hpp"

#include <algorithm>

namespace cib {

// By nodeset: the cpuset of an ancestor is empty where a cgroup hides its CPUs.
std::vector<unsigned> PciDevices::numa_of(hwloc_obj_t device) const {
  hwloc_obj_t ancestor = hwloc_get_non_io_ancestor_obj(topology_, device);
  if (ancestor == nullptr || ancestor->nodeset == nullptr) return {};
  std::vector<unsigned> local;
  bool everywhere = true;
  for (const auto& node : nodes_) {
    const bool here = hwloc_bitmap_isset(ancestor->nodeset, node.os_index) != 0;
    if (here) local.push_back(node.os_index);
    everywhere = everywhere && (here || node.cpus.empty());
  }
  // Below the machine itself of several nodes means that nobody knows, not that it is near to all.
  return everywhere && nodes_.size() > 1 && has_several_cpu_nodes() ? std::vector<unsigned>() : local;
}

std::vector<std::string> PciDevices::path_of(hwloc_obj_t device) {
  std::vector<std::string> path;
  for (hwloc_obj_t object = device->parent; object != nullptr; object = object->parent) {
    if (object->type != HWLOC_OBJ_BRIDGE) continue;
    const auto& bridge = object->attr->bridge;
    if (bridge.upstream_type == HWLOC_OBJ_BRIDGE_PCI)
      path.push_back(address_of(bridge.upstream.pci).text());
    else
      path.push_back("host " + std::to_string(bridge.downstream.pci.domain) + ":" +
                     std::to_string(bridge.downstream.pci.secondary_bus));
  }
  std::reverse(path.begin(), path.end());
  return path;
}

bool PciDevices::has_several_cpu_nodes() const {
  return std::count_if(nodes_.begin(), nodes_.end(),
                       [](const NumaNode& node) { return !node.cpus.empty(); }) > 1;
}

}  // namespace cib
