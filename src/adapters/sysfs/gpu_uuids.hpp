// The UUIDs of NVIDIA's GPUs, which its driver tells without its library.
#pragma once

#include <string>

#include "container_ib/model.hpp"

namespace cib {

// From PROC/driver/nvidia/gpus/ADDRESS/information ("GPU UUID: GPU-…"; NVIDIA's driver README, "The /proc
// interface"). A GPU without one keeps what it has.
void read_gpu_uuids(const std::string& proc, Inventory& inventory);

}  // namespace cib
