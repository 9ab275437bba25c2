#pragma once

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Puts the sysfs over /sys in a mount namespace that only root's code has run in. What lies on the old one
// and is no sysfs itself (cgroups, tracing, security) is put on the new one too.
Status mount_over_sys(int mount_namespace, const UniqueFd& sysfs);

}  // namespace cib
