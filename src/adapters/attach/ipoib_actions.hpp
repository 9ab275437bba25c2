// An IPoIB child interface, made on the node and moved, since enhanced IPoIB looks its parent up where the
// child is made (mlx5i_parent_get).
#pragma once

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

Status apply_ipoib_child(const Action& action);
// Looks in the namespace and on the node: a child outlives its namespace and comes home under any name
// (ipoib_link_ops.netns_refund).
Status revert_ipoib_child(const Action& action);

Status verify_ipoib_child(const Action& action);

Status apply_link_up(const Action& action);
// Wanted up and running, with its address and MTU. By name: who made the interface verifies that it has it.
Status verify_link_up(const Action& action);

}  // namespace cib
