// An HCA of the node that a step may have as a whole.
#pragma once

#include "container_ib/model.hpp"
#include "container_ib/result.hpp"
#include "container_ib/world/node.hpp"

namespace cib {

// As the kernel shows it now, whoever uses it; unusable when it cannot be handed over, with the reason.
Result<WholeDevice> whole_device(const PciAddress& pci);

}  // namespace cib
