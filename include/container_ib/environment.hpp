// The variables that make the MPI stacks in a task use its ports.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/config.hpp"

namespace cib {

struct EnvironmentInputs {
  Mode mode = Mode::verbs;
  bool require = false;
  std::vector<std::string> profiles = {"auto"};
  std::vector<std::string> task_ports;  // "mlx5_2:1", best first
  std::vector<std::string> node_ports;  // every eligible port of the node, for NCCL
  std::string numa;                     // NUMA nodes of the first port, "0" or "0,1"; may be empty
  std::string plan;
  std::map<std::string, std::string> user;  // what the user has set of environment_inputs()
};

struct EnvironmentChange {
  std::string name, value;
};

struct EnvironmentPlan {
  std::vector<EnvironmentChange> set;  // in a fixed order
  std::vector<std::string> kept;       // names that the user has set and that therefore stay
  std::vector<std::string> notes;      // one line each, for the report
};

// Names of the variables whose presence or value in the user's environment changes the answer.
const std::vector<std::string_view>& environment_inputs();

EnvironmentPlan build_environment(const EnvironmentInputs& in);

}  // namespace cib
