// The actions on an SR-IOV VF or a whole device, each with its undo. The caller holds the node's lock: RDMA
// devices are registered anew here.
#pragma once

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

Status apply(const KeepAddresses& action);
Status undo(const KeepAddresses& action);
Status verify(const KeepAddresses& action);

Status apply(const KeepVfNames& action);
Status undo(const KeepVfNames& action);
Status verify(const KeepVfNames& action);

Status apply(const SetVf& action);
Status undo(const SetVf& action);
Status verify(const SetVf& action);

Status apply(const MoveRdmaDevice& action);
Status undo(const MoveRdmaDevice& action);
Status verify(const MoveRdmaDevice& action);

Status apply(const MoveVfLink& action);
Status undo(const MoveVfLink& action);
Status verify(const MoveVfLink& action);

}  // namespace cib
