// How a PCI function, be it a VF or a whole HCA, comes into a network namespace.
#pragma once

#include <string>

#include "app/modes/mode_unit.hpp"

namespace cib {

// Moves its RDMA device, in the RDMA subsystem's exclusive mode, and its interface, which gets that name. The
// result is `port` with the name that the device has there. The order of it:
// doc/adr/0004-order-of-an-attach.md.
Result<NetworkDevice> hand_over(const InterfaceFacts& step, const VfIdentity& function,
                                const NetnsFile& netns, const std::string& netdev, const Port& port);

}  // namespace cib
