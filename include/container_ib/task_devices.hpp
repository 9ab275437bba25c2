// What a task's environment says of its GPUs and NICs, turned into devices of the node.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

// Non-empty words between commas.
std::vector<std::string> split_list(std::string_view text);

// The GPUs of a task by their numbers on the node. `visible` is CUDA_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES,
// whose numbers begin at 0 within the task's cgroup where Slurm makes one; `granted` is SLURM_STEP_GPUS,
// which has the node's numbers and may be empty. Empty when they do not tell which GPUs are meant.
std::string node_wide_gpus(const std::string& visible, const std::string& granted);

// CUDA_VISIBLE_DEVICES / ROCR_VISIBLE_DEVICES as Slurm writes them: indexes in PCI order of the node's GPUs
// (Slurm's gres/gpu numbers by PCI address; gres_gpu.c). Words that are no index (GPU-<uuid>) or out of range
// are passed over: a GPU that we cannot locate must not move a task.
std::vector<PciAddress> visible_gpus(const Inventory& node, std::string_view visible);

}  // namespace cib
