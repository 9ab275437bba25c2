#pragma once

#include <map>
#include <string>

#include "container_ib/result.hpp"
#include "container_ib/world/node.hpp"

namespace cib {

// The VFs of a PF, those in their order that nobody has: not claimed, their RDMA device and interface on the
// node, and the interface without an address (an administrator may use some for the node itself). None when
// there is no SR-IOV.
Result<VfsOfPf> vfs_of(const PciAddress& pf, const std::map<std::string, std::string>& claims);

}  // namespace cib
