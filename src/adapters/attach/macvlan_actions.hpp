// A macvlan interface, made where its parent is and then moved.
#pragma once

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

Status apply(const MakeMacvlan& plan);
// Ends with its namespace too, and never comes home from it.
Status undo(const MakeMacvlan& plan);
Status verify(const MakeMacvlan& plan);

}  // namespace cib
