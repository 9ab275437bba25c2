// The actions on an SR-IOV VF, each with its undo. The caller holds the node's lock: RDMA devices are
// registered anew here.
#pragma once

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

Status restore_vf_names(const Action& action);

Status apply_vf_settings(const Action& action);
Status revert_vf_settings(const Action& action);
Status verify_vf_settings(const Action& action);

Status apply_rdma_move(const Action& action);
Status revert_rdma_move(const Action& action);
Status verify_rdma_move(const Action& action);

Status apply_vf_link(const Action& action);
Status revert_vf_link(const Action& action);
Status verify_vf_link(const Action& action);

}  // namespace cib
