// How a task in a network of its own finds its entry of a RoCE port's GID table.
#pragma once

#include "app/modes/mode_unit.hpp"

namespace cib {

// Leaves, of the GIDs of the device's port, the one of its address. In the RDMA subsystem's shared mode the
// table has those of all network namespaces (roce_gid_mgmt.c), and a library that took the first would send
// in the node's name. Nothing to do for InfiniBand, or without an address;
// none is left where that is of IPv6.
Status keep_own_gid(const InterfaceFacts& step, NetworkDevice& device);

}  // namespace cib
