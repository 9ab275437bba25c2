// What a task's environment says of its GPUs and NICs, turned into devices of the node.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

// Non-empty words between commas.
std::vector<std::string> split_list(std::string_view text);

// The GPUs of a task as the node knows them. `visible` is CUDA_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES or
// ZE_AFFINITY_MASK, whose numbers begin at 0 within the task's cgroup where Slurm makes one; `granted` is
// SLURM_STEP_GPUS, which has the node's numbers and may be empty. Empty when they do not tell which GPUs are
// meant.
std::string node_wide_gpus(const std::string& visible, const std::string& granted);

// Which of the node's GPUs that means: indexes in the order of their PCI addresses (Slurm's gres/gpu numbers
// so; gres_gpu.c), UUIDs as CUDA has them ("GPU-8932f937", gres.conf's Flags=env_uuid), or "all". What is out
// of range, of a GPU whose UUID is unknown, or an instance of which nothing tells the GPU, is passed over: a
// GPU that we cannot locate must not move a task.
std::vector<PciAddress> visible_gpus(const Inventory& node, std::string_view visible);

}  // namespace cib
