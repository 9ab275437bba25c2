// RDMA devices by NETLINK_RDMA, for which libnl has no calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

struct RdmaDevice {
  std::uint32_t index = 0;  // stays the same through moves
  std::string name;         // "mlx5_0"
};

// Whether an RDMA device belongs to one network namespace (RDMA_NLDEV_SYS_ATTR_NETNS_MODE, set at boot:
// "options ib_core netns_mode=0"), or shows in all of them.
Result<bool> rdma_is_exclusive();

// Those of the caller's network namespace.
Result<std::vector<RdmaDevice>> rdma_devices();

// Moves the device, which must be in the caller's network namespace, to another one. All that is bound to it
// is made anew: IPoIB interfaces, uverbs nodes, minors. Programs that have it open lose it.
Status move_rdma_device(const RdmaDevice& device, int network_namespace);

Status rename_rdma_device(const RdmaDevice& device, const std::string& name);

}  // namespace cib
