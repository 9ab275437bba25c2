// What hangs on a PCI function, by sysfs: the one identity that survives every rename and re-registration.
#pragma once

#include <string>
#include <vector>

#include "container_ib/model.hpp"
#include "container_ib/result.hpp"

namespace cib {

inline constexpr const char* node_sysfs = "/sys";

// The network devices and RDMA devices of the function, sorted, that the sysfs mounted at `sysfs` shows,
// which are those of its network namespace. Empty when there are none.
std::vector<std::string> netdevs_of(const std::string& sysfs, const PciAddress& pci);
std::vector<std::string> rdma_devices_of(const std::string& sysfs, const PciAddress& pci);

// Both are there, in the node's own namespace: `timeout_ms` for a driver to make them. A function that has
// lost its driver gets it back.
Status await_vf_at_home(const PciAddress& pci, int timeout_ms);

// The index of the interface of an HCA's port (1-based), IPoIB or Ethernet, among the node's own; not_found
// when there is none. Of a switchdev PF, which has its VFs' representors beside it, its own.
Result<int> port_netdev_index(const PciAddress& pci, unsigned port);
// The same, of IPoIB alone.
Result<int> ipoib_index(const PciAddress& pci, unsigned port);

// How many VFs the PF has made; 0 for what is none.
unsigned number_of_vfs(const PciAddress& pf);

// Makes the driver take the function anew, which is when an HCA reads its GUIDs.
Status bind_driver_again(const PciAddress& pci);

}  // namespace cib
