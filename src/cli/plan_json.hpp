// A plan for programs. The names are an interface (see doc/placement.md).
#pragma once

#include <nlohmann/json.hpp>

#include "plan_data.hpp"
#include "plan_model.hpp"

namespace cib::cli {

nlohmann::ordered_json plan_json(const Plan& plan);

// One object a rule, ours first.
nlohmann::ordered_json comparison_json(const PlanModel& model);

}  // namespace cib::cli
