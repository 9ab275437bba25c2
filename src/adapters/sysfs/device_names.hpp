// The character devices of a described node's RDMA devices; those of this machine:
// adapters/linux/devices.hpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

struct DeviceNames {
  std::map<std::string, std::vector<std::string>> of_device;  // "mlx5_0": uverbs0, umad0
  std::vector<std::string> shared;                            // rdma_cm
};

// Of these ports' devices, with `umad` the umad of each port. `root` has class/infiniband_verbs, or its sys/
// does; a device of which the tree says nothing has none.
DeviceNames read_device_names(const std::string& root, const std::vector<Port>& ports, bool umad);

}  // namespace cib
