#pragma once

#include <optional>
#include <string>

namespace cib {

// Arguments of the line in plugstack.conf: key=value words, no quoting (Slurm splits at white space).
struct PlugstackArgs {
  std::string config;                     // config=PATH; empty: /etc/slurm/container-ib.conf if it exists
  std::string agent;                      // agent=PATH
  std::string state;                      // state=PATH
  std::optional<std::string> by_default;  // default=OPTION: what steps get whose user says nothing
  std::string error;                      // what is wrong with them; a step that asks for us is then refused
};

PlugstackArgs read_plugstack_args(int argc, char** argv);

}  // namespace cib
