// Whose a process is, by the journals of the node's steps and by Slurm's cgroups.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "container_ib/result.hpp"

namespace cib {

class StepsOfProcesses {
 public:
  // Reads the journals below the state directory; waits for who has it for a bounded time.
  static Result<StepsOfProcesses> read(const std::string& state_dir);

  // "17.0", "pid-4711"; empty: of no step, or it has ended. By the cgroup that a step's tasks are in, else by
  // its ancestors, among whom is the step's slurmstepd or a task, else, of a step without a journal, by the
  // name of its cgroup.
  std::string step_of(pid_t pid) const;

 private:
  std::map<std::uint64_t, std::string> cgroups_;                          // steps by inode number
  std::map<std::pair<std::string, std::string>, std::string> processes_;  // and by pid and start time
};

}  // namespace cib
