#pragma once

#include "container_ib/result.hpp"

namespace cib {

// Makes this process one that may do nothing but use what it has open: user and group nobody (65534, the
// kernel's own overflow id), no supplementary group, no capability and no way to win one back, neither
// traceable by others of that user nor dumping core.
Status become_nobody();

}  // namespace cib
