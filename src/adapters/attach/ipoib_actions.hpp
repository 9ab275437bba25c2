// An IPoIB child interface, made on the node and moved, since enhanced IPoIB looks its parent up where the
// child is made (mlx5i_parent_get).
#pragma once

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

Status apply(const MakeIpoibChild& plan);
// Looks in the namespace and on the node: a child outlives its namespace and comes home under any name
// (ipoib_link_ops.netns_refund).
Status undo(const MakeIpoibChild& plan);
Status verify(const MakeIpoibChild& plan);

}  // namespace cib
