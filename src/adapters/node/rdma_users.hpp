// Node::rdma_users() of this machine.
#pragma once

#include <string>
#include <vector>

#include "container_ib/world/node.hpp"

namespace cib {

// Devices are looked for in the caller's network namespace, and in the one that their port is placed in where
// they are not there. One list of the kernel's a device, and a second one where others are on the first.
Result<RdmaUsers> rdma_users_of(const std::vector<PlacedPort>& ports, const std::string& step,
                                const std::string& state_dir);

}  // namespace cib
