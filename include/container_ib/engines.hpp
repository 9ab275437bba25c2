// Container engines that a step's command starts, and what their users need in the environment for what the
// task has to be inside too.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/environment.hpp"

namespace cib {

struct EnginesOfCommand {
  bool any = false;
  // Each task may get a user namespace of its own: unprivileged engines, but those that were told to put
  // the node's tasks into one container. Whether it does is seen only later: Apptainer that is installed
  // set-uid root makes none.
  bool user_namespaces = false;
  bool apptainer = false;    // or its sister SingularityCE
  bool singularity = false;  // by this name: Apptainer has it too
  bool directly = false;     // an engine is the command itself, so nobody changes the environment before it
  // It reads what a task's folder has (task_folder.hpp): podman, and engines that are told of CDI.
  bool reads_folder = false;
};

// From the words of a command line, also those of a shell's -c and behind env or numactl. A script's are in
// its file and not seen.
EnginesOfCommand engines_of(std::span<const std::string_view> command);

// From a script's text, but for its comments. Whether it comes to the line that names an engine, nobody
// knows before.
EnginesOfCommand engines_of_script(std::string_view text);

// What has to be set besides so that Apptainer and SingularityCE hand on what the task has, whatever of
// --contain, --containall and --cleanenv their user gives. `environment`: the task's, "NAME=value" each, ours
// among it.
//   - APPTAINER_BIND and SINGULARITY_BIND get /dev/infiniband: with --contain /dev is a small one of its own
//   - APPTAINERENV_NAME, and SINGULARITYENV_NAME if the command is called so: what --cleanenv lets through;
//     Slurm's and PMI's variables, without which each rank would be a job of its own, ours, and those of
//     `ours` if nobody could have changed them meanwhile
// A user's bind paths stay, and his own word on a variable that is neither Slurm's nor ours.
std::vector<EnvironmentChange> apptainer_environment(const EnginesOfCommand& engines,
                                                     std::span<const std::string_view> environment,
                                                     std::span<const std::string> ours);

}  // namespace cib
