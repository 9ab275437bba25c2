// A plan for programs. The names are an interface (see doc/placement.md).
#pragma once

#include <nlohmann/json.hpp>

#include "node_options.hpp"
#include "plan_model.hpp"

namespace cib::cli {

// A question about a node and its answer.
struct Plan {
  NodeQuestion question;
  std::vector<LocalTask> tasks;  // in ascending id
  Assignment assignment;
};

nlohmann::ordered_json plan_json(const Plan& plan);

// One object a rule, ours first.
nlohmann::ordered_json comparison_json(const PlanModel& model);

}  // namespace cib::cli
