#include "plan_json.hpp"

#include "container_ib/environment.hpp"
#include "json.hpp"
#include "ports_view.hpp"

namespace cib::cli {

namespace {

std::vector<std::string> port_names(const Plan& plan, const TaskPlacement& task) {
  std::vector<std::string> names;
  for (const std::size_t port : task.ports) names.push_back(plan.question.inventory.ports[port].name());
  return names;
}

EnvironmentPlan environment_of(const Plan& plan, const TaskPlacement& task) {
  EnvironmentInputs in = inputs_of_task(plan.question.settings, plan.question.inventory, plan.assignment,
                                        task.ports, plan.question.rules);
  in.nccl_topology = nccl_topology_of(plan.question.site);
  return build_environment(in);
}

nlohmann::ordered_json task_json(const Plan& plan, const TaskPlacement& task, const CpuSet& mask) {
  if (task.ports.empty()) return {{"task", task.task}, {"ports", nlohmann::ordered_json::array()}};
  auto variables = nlohmann::ordered_json::object();
  for (const auto& change : environment_of(plan, task).set) variables[change.name] = change.value;
  return {{"task", task.task},         {"mask", mask.hex()},     {"ports", port_names(plan, task)},
          {"distance", task.distance}, {"class", task.locality}, {"env", variables}};
}

}  // namespace

nlohmann::ordered_json plan_json(const Plan& plan) {
  auto tasks = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < plan.tasks.size(); ++i)
    tasks.push_back(task_json(plan, plan.assignment.tasks[i], plan.tasks[i].mask));
  return {{"ports", ports_json(plan.question.inventory, plan.assignment)},
          {"tasks", tasks},
          {"notes", plan.assignment.notes},
          {"plan", plan.assignment.plan}};
}

nlohmann::ordered_json comparison_json(const PlanModel& model) {
  auto rules = nlohmann::ordered_json::array();
  for (const auto& rule : model.rules) {
    std::vector<unsigned> tasks;  // per connector
    for (const auto& load : rule.score.loads) tasks.push_back(load.tasks);
    rules.push_back({{"rule", rule.name},
                     {"overload", rule.score.overload},
                     {"distance", rule.score.distance},
                     {"other_package", rule.score.other_package},
                     {"connectors_used", rule.score.connectors_used},
                     {"connectors", rule.score.loads.size()},
                     {"tasks", tasks}});
  }
  return rules;
}

}  // namespace cib::cli
