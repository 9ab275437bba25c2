// Variables that the site's file has for tasks: [[environment]].
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

struct EnvironmentChange {
  std::string name, value;

  bool operator==(const EnvironmentChange&) const = default;
};

// What it says of ports must hold for each port of a task, since a library has one value for all of them.
struct EnvironmentRule {
  std::vector<std::string> nodes = {};                           // node_names.hpp; empty: every node
  std::optional<LinkLayer> link_layer = {};                      // empty: any
  std::vector<std::string> drivers = {};                         // one of these kernel drivers; empty: any
  std::optional<double> min_rate_gbps = {}, max_rate_gbps = {};  // both included
  std::vector<EnvironmentChange> set = {};
};

inline constexpr std::size_t most_environment_rules = 64;
inline constexpr std::size_t most_site_variables = 64;    // names, of all rules together
inline constexpr std::size_t longest_variable_name = 63;  // as wire::Variable has it

// Ok, or why the site's file may not set that variable to that: one clause that names it.
Status check_site_variable(std::string_view name, std::string_view value);

// Those for that node, in their order.
std::vector<EnvironmentRule> rules_for_node(const std::vector<EnvironmentRule>& rules, std::string_view node);

// What rules_for_node() make of a task with these ports: of a variable that several have, the last one's
// value. In the order of the first mention.
std::vector<EnvironmentChange> site_variables(const std::vector<EnvironmentRule>& rules,
                                              const std::vector<Port>& ports);

// Each variable that some rule has, once.
std::vector<std::string> names_of_site_variables(const std::vector<EnvironmentRule>& rules);

}  // namespace cib
