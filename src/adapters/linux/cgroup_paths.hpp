// Cgroups by name: what /proc/PID/cgroup says, and where the mounts show it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/linux/mountinfo.hpp"

namespace cib {

// One hierarchy as /proc/PID/cgroup lists it.
struct CgroupMembership {
  bool unified = false;     // v2
  std::string controllers;  // v1: "freezer"
  std::string path;         // "/system.slice/slurmstepd.scope/job_5/step_0/user/task_0"
};
std::vector<CgroupMembership> parse_cgroups(const std::string& text);

// The part of such a path that Slurm made. A job's directory is called job_N, or since 26.05 by its SLUID
// ("s" and 13 characters); only its steps are step_M everywhere (cgroup_v2.c, cgroup_v1.c).
struct StepCgroupPath {
  std::string jobs;  // where Slurm keeps its jobs (v1: of all users): "/system.slice/slurmstepd.scope"
  std::string step;  // "/system.slice/slurmstepd.scope/job_5/step_0"
};
// Of the innermost step, should Slurm run inside a job of Slurm's; nothing when the path is in none.
std::optional<StepCgroupPath> step_part(const std::string& path);

// "17.0" of ".../job_17/step_0", "17.batch"; since 26.05 the job is its SLUID there.
std::string step_name_of_cgroup(const std::string& step);

// Where the cgroup of the membership can be found: one directory for each mount of its hierarchy that shows
// it. Any of them may be hidden by what was mounted over it.
std::vector<std::string> places_of(const CgroupMembership& member, const std::string& path,
                                   const std::vector<Mount>& mounts);

}  // namespace cib
