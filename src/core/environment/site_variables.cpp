#include "container_ib/site_variables.hpp"

#include <algorithm>
#include <array>

#include "container_ib/node_names.hpp"
#include "container_ib/task_folder.hpp"
#include "container_ib/text.hpp"
#include "container_ib/wire.hpp"
#include "environment_table.hpp"

namespace cib {

namespace {

struct Reserved {
  std::string_view prefix, why;
};

constexpr std::array reserved = {
    Reserved{"CONTAINER_IB", "it says what the task has"},
    Reserved{"LD_", "it decides what code a program loads, and has the user's and the image's own value"},
    Reserved{"PMIX_", "Slurm's PMIx server and [defaults] env decide it"},
    Reserved{"PMI_", "Slurm's PMI server decides it"},
    Reserved{"PMI2_", "Slurm's PMI server decides it"},
    Reserved{"SLURM", "it is Slurm's"},
    Reserved{"_SLURM", "it is Slurm's"},
    Reserved{"SPANK_", "it is Slurm's"},
    Reserved{"RDMAV_DRIVERS", "inject=providers decides it"},
};

constexpr std::string_view of_others = "it has the user's and the image's own value";

bool is_identifier(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

// Whether the variable names ports or partitions of the task's, which its placement decides. Which GID of a
// port counts, and over how many a message goes, a site may know better.
bool is_placed(std::string_view name) {
  if (name.ends_with("_GID_INDEX") || name.ends_with("_RAILS")) return false;
  bool placed = false;
  for (const auto& row : environment_table()) {
    if (row.name != name) continue;
    if (row.value == nullptr) return false;  // a constant in some case: tuning
    placed = true;
  }
  return placed;
}

std::string_view why_reserved(std::string_view name) {
  for (const auto& [prefix, why] : reserved)
    if (name.starts_with(prefix)) return why;
  if (name == "PATH" || name == "HOME") return of_others;
  if (name == podman_settings_variable) return "the task's folder decides it";
  if (is_placed(name))
    return "it follows from the task's placement; [[nodes]] and [defaults] hca decide which HCAs";
  return {};
}

bool holds(const EnvironmentRule& rule, const Port& port) {
  if (rule.link_layer && port.link_layer != *rule.link_layer) return false;
  if (!rule.drivers.empty() &&
      std::find(rule.drivers.begin(), rule.drivers.end(), port.driver) == rule.drivers.end())
    return false;
  if (rule.min_rate_gbps && port.rate_gbps < *rule.min_rate_gbps) return false;
  return !rule.max_rate_gbps || port.rate_gbps <= *rule.max_rate_gbps;
}

}  // namespace

Status check_site_variable(std::string_view name, std::string_view value) {
  const auto refuse = [&](const std::string& why) {
    return error(Errc::bad_config, printable(name) + ": " + why);
  };
  if (!is_identifier(name) || name.size() > longest_variable_name)
    return refuse("no name of a variable: letters, digits and '_', no digit first, at most " +
                  std::to_string(longest_variable_name) + " characters");
  if (const auto why = why_reserved(name); !why.empty())
    return refuse("not for the site's file to set: " + std::string(why));
  if (value.empty()) return refuse("an empty value; leave the variable out");
  if (value.size() > wire::longest_value)
    return refuse("longer than " + std::to_string(wire::longest_value) + " characters");
  if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return c < ' ' || c > '~'; }))
    return refuse("other than printable characters in '" + printable(value) + "'");
  return {};
}

std::vector<EnvironmentRule> rules_for_node(const std::vector<EnvironmentRule>& rules,
                                            std::string_view node) {
  std::vector<EnvironmentRule> own;
  for (const EnvironmentRule& rule : rules)
    if (rule.nodes.empty() || names_node(rule.nodes, node)) own.push_back(rule);
  return own;
}

std::vector<EnvironmentChange> site_variables(const std::vector<EnvironmentRule>& rules,
                                              const std::vector<Port>& ports) {
  std::vector<EnvironmentChange> variables;
  for (const EnvironmentRule& rule : rules) {
    if (!std::all_of(ports.begin(), ports.end(), [&](const Port& port) { return holds(rule, port); }))
      continue;
    for (const EnvironmentChange& change : rule.set) {
      const auto same = [&](const EnvironmentChange& earlier) { return earlier.name == change.name; };
      const auto earlier = std::find_if(variables.begin(), variables.end(), same);
      if (earlier == variables.end())
        variables.push_back(change);
      else
        earlier->value = change.value;
    }
  }
  return variables;
}

std::vector<std::string> names_of_site_variables(const std::vector<EnvironmentRule>& rules) {
  std::vector<std::string> names;
  for (const EnvironmentRule& rule : rules)
    for (const EnvironmentChange& change : rule.set)
      if (std::find(names.begin(), names.end(), change.name) == names.end()) names.push_back(change.name);
  return names;
}

}  // namespace cib
