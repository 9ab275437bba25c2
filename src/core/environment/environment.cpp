#include "container_ib/environment.hpp"

#include <algorithm>

#include "container_ib/text.hpp"
#include "environment_table.hpp"
#include "profiles.hpp"

namespace cib {

namespace {

using Names = std::vector<std::string_view>;

bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Names active_profiles(const std::vector<std::string>& asked) {
  Names active;
  for (const auto& profile : profiles) {
    const bool by_auto = profile.in_auto && std::find(asked.begin(), asked.end(), "auto") != asked.end();
    if (!by_auto && std::find(asked.begin(), asked.end(), profile.name) == asked.end()) continue;
    active.push_back(profile.name);
    if (!profile.implies.empty())
      for (const auto implied : split(profile.implies, ' ')) active.push_back(implied);
  }
  return active;
}

}  // namespace

const std::vector<std::string_view>& environment_inputs() {
  static const Names names = [] {
    Names list;
    for (const auto& row : environment_table())
      if (row.profile != own_record && !contains(list, row.name)) list.push_back(row.name);
    for (const auto name : variables_read_only()) list.push_back(name);
    return list;
  }();
  return names;
}

EnvironmentInputs inputs_of_task(const Settings& settings, const Inventory& node,
                                 const Assignment& assignment, const std::vector<std::size_t>& ports) {
  EnvironmentInputs in;
  in.mode = settings.mode;
  in.require = settings.require;
  in.profiles = settings.env;
  in.report = settings.report;
  in.pkey = settings.pkey;
  for (const Port& port : node.ports) in.node_devices.push_back(port.device);
  in.plan = assignment.plan;
  for (const std::size_t port : ports) in.task_ports.push_back(node.ports[port].name());
  for (const std::size_t port : eligible_ports(assignment)) in.node_ports.push_back(node.ports[port].name());
  if (!ports.empty()) in.numa = numa_text(node.ports[ports.front()]);
  return in;
}

EnvironmentPlan build_environment(const EnvironmentInputs& in) {
  EnvironmentPlan plan;
  if (in.mode == Mode::none) return plan;
  const Names active = active_profiles(in.profiles);
  for (const auto& row : environment_table()) {
    const bool own = row.profile == own_record;
    if (!own && (in.task_ports.empty() || !contains(active, row.profile))) continue;
    if (!row.when(in)) continue;
    std::string value = row.value != nullptr ? row.value(in) : std::string(row.constant);
    if (value.empty()) continue;
    const std::string name(row.name);
    if (own || !in.user.contains(name))
      plan.set.push_back({name, std::move(value)});
    else if (std::find(plan.kept.begin(), plan.kept.end(), name) == plan.kept.end())
      plan.kept.push_back(name);
  }
  for (const auto& conflict : user_conflicts())
    if (contains(active, conflict.profile) && conflict.holds(in)) plan.notes.emplace_back(conflict.note);
  return plan;
}

}  // namespace cib
