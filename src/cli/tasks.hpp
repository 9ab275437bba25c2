// The tasks that `plan` is asked about: masks as given, or as a distribution makes them.
#pragma once

#include <string>
#include <vector>

#include "container_ib/placement.hpp"

namespace cib::cli {

// "0x0f,0xf0": one hexadecimal word per task.
Result<std::vector<LocalTask>> tasks_from_masks(const std::string& masks);

// `block` gives task i the i-th of `count` equal slices of the cores, `cyclic` deals tasks over the NUMA
// nodes with one core each, `pack` puts task i on core i. All wrap around.
Result<std::vector<LocalTask>> tasks_from_distribution(const Inventory& node, unsigned count,
                                                       const std::string& distribution);

// "0:0000:07:00.0,1:0000:0b:00.0": task number and PCI address; repeated for more GPUs of a task.
Status add_gpus(const std::string& text, std::vector<LocalTask>& tasks);

}  // namespace cib::cli
