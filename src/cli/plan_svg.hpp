// A plan as a picture for a ticket or a paper.
#pragma once

#include <string>

#include "plan_model.hpp"

namespace cib::cli {

// One SVG document: well-formed whatever the names in the model are, without scripts or references to
// elsewhere.
std::string plan_svg(const PlanModel& model);

}  // namespace cib::cli
