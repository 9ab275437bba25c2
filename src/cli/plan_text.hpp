// A plan for a terminal: the node as a tree, and who uses what as a matrix in the manner of nvidia-smi topo
// -m.
#pragma once

#include <string>

#include "plan_model.hpp"

namespace cib::cli {

// Plain ASCII. A matrix that is wider than `width` goes on below itself.
std::string plan_text(const PlanModel& model, unsigned width);

// The rules side by side.
std::string comparison_text(const PlanModel& model);

}  // namespace cib::cli
