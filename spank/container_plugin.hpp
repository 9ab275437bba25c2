// Whether another plugin puts the step's tasks into a container.
#pragma once

#include <string>

#include "spank/spank_abi.hpp"

namespace cib {

// The option by which it was asked to, "--container-image"; empty when no plugin that is known was. From
// task_init_privileged on, whatever the order of the plugins (spank_option_getopt() finds the options of all
// of them, and refuses to before user_init).
std::string container_option(spank_t spank);

}  // namespace cib
