// Where Slurm keeps a step's processes, on cgroup v1 and v2.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/linux/cgroup_paths.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// The cgroups of a process ("self" or a number), one for each hierarchy; none when nobody can tell.
std::vector<CgroupMembership> memberships(const std::string& pid);

// The directory of a cgroup, and where it was found; empty when no mount of its hierarchy shows it here.
struct PlaceOfCgroup {
  std::string path;
  UniqueFd directory;
};
PlaceOfCgroup find_place(const CgroupMembership& member, const std::string& path);

// Moves this process out of the cgroups of any Slurm step it was started in. Inside them it would die with
// the step, or keep the step from ending, for which Slurm drains the node: an error when it is still in one.
Status leave_step_cgroup();

// The cgroup of a step, held open. Its directory can be removed and one of the same name be made for another
// step: it is recognised by its inode number, which no other cgroup of this boot gets (kernfs_new_node counts
// up), and whatever is done with it is done from the descriptor.
struct StepCgroup {
  std::string path;
  std::uint64_t inode = 0;
  UniqueFd directory;
};

// The step's cgroup that holds `pid` (v2, or v1's freezer); nothing when Slurm tracks processes without
// cgroups. The caller makes sure that the number still is its process' afterwards.
std::optional<StepCgroup> step_cgroup_of(pid_t pid);
// The same one again, from what was written down of it; nothing when it is gone.
std::optional<StepCgroup> open_step_cgroup(const std::string& path, std::uint64_t inode);

// Every process in the cgroup and below it.
std::vector<pid_t> processes_in(const StepCgroup& cgroup);
// Kills all of them at once (v2 from Linux 5.14 on); false when the cgroup has no such switch.
bool kill_at_once(const StepCgroup& cgroup);

// Removes the empty cgroup of a dead step, what is below it, and the job's above it if that is empty too:
// slurmstepd, which does it otherwise, is gone. Leaves alone what still holds a process. Whether the step's
// is gone.
bool remove_step_cgroup(const StepCgroup& cgroup);

}  // namespace cib
