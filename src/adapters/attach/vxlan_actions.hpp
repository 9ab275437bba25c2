// A VXLAN interface, made on the node, by whose network it sends, and then moved.
#pragma once

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

Status apply(const MakeVxlan& plan);
// Ends with its namespace too, and never comes home from it.
Status undo(const MakeVxlan& plan);
Status verify(const MakeVxlan& plan);

}  // namespace cib
