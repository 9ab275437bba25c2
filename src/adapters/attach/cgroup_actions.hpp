// A container's cgroup, and the devices that it keeps from it.
#pragma once

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

Status apply(const WidenDeviceCgroup& action);
Status undo(const WidenDeviceCgroup& action);
Status verify(const WidenDeviceCgroup& action);

}  // namespace cib
