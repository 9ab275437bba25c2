#pragma once

#include <string>
#include <vector>

#include "container_ib/ports/node.hpp"
#include "container_ib/result.hpp"

namespace cib {

// The VFs of a PF, in their order, that nobody has: not claimed, their RDMA device and interface on the node,
// and the interface without an address (an administrator may use some for the node itself). Empty when there
// is no SR-IOV.
Result<std::vector<FreeVf>> free_vfs(const PciAddress& pf, const std::vector<std::string>& claims);

}  // namespace cib
