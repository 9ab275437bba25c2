// What a task's environment says of its GPUs and NICs, turned into devices of the node.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

// Non-empty words between commas.
std::vector<std::string> split_list(std::string_view text);

// CUDA_VISIBLE_DEVICES / ROCR_VISIBLE_DEVICES as Slurm writes them: indexes in PCI order of the node's GPUs
// (Slurm's gres/gpu numbers by PCI address; gres_gpu.c). Words that are no index (GPU-<uuid>) or out of range
// are passed over: a GPU that we cannot locate must not move a task.
std::vector<PciAddress> visible_gpus(const Inventory& node, std::string_view visible);

}  // namespace cib
