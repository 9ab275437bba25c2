// Where Slurm keeps a step's processes, on cgroup v1 and v2.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

// Moves this process out of the cgroups of any Slurm step it was started in. Inside them it would die with
// the step, or keep the step from ending.
Status leave_step_cgroup();

// The directory of the step's cgroup that holds `pid` (v2, or v1's freezer); empty when Slurm tracks
// processes without cgroups. Slurm names it job_N/step_M (cgroup_v2.c, cgroup_v1.c).
std::string step_cgroup_of(pid_t pid);

// Removes the empty cgroup of a dead step, what is below it, and the job's above it if that is empty too:
// slurmstepd, which does it otherwise, is gone. Leaves alone what still holds a process. Whether the step's
// is gone.
bool remove_step_cgroup(const std::string& cgroup);

// Every process in the cgroup and below it. Empty when there is no such cgroup.
std::vector<pid_t> processes_in(const std::string& cgroup);

}  // namespace cib
