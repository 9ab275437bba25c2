// Whether this process is the host's root, or only looks like it.
#pragma once

#include "container_ib/result.hpp"

namespace cib {

// Ok in the kernel's first user namespace. Unsupported in any other one, whose root can neither make device
// nodes nor touch the host's network, whatever capabilities it is shown to have.
Status check_hosts_user_namespace();

}  // namespace cib
