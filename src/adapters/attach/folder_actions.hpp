// A task's folder. What is in it comes later, by Tasks::fill_folder().
#pragma once

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

Status apply(const MakeTaskFolder& action);
Status undo(const MakeTaskFolder& action);
Status verify(const MakeTaskFolder& action);

}  // namespace cib
