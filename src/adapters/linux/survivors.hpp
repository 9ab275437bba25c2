// Ends what is left of a step whose slurmstepd is gone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cib {

struct StepRemains {
  std::vector<pid_t> tasks;          // each with a pidfd held elsewhere, so the numbers are still theirs
  std::vector<std::string> cgroups;  // step_cgroup_of() of the tasks
  std::vector<std::uint64_t>
      mount_namespaces;  // inode numbers, held open elsewhere, so they are not used again
};

// Kills all of them, again and again until none is left or timeout_ms have passed; then removes the empty
// cgroups. The names of those that are left ("pid 17 (sleep)").
std::vector<std::string> kill_remains(StepRemains remains, int timeout_ms);

}  // namespace cib
