// Ends what is left of a step whose slurmstepd is gone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/linux/cgroup.hpp"

namespace cib {

// Everything by a descriptor that the caller holds: numbers and names are used again while this goes on.
struct Survivors {
  std::vector<int> tasks = {};                  // pidfds
  std::vector<const StepCgroup*> cgroups = {};  // of the step
  std::vector<int> mount_namespaces = {};       // none that others than the step's processes could be in
  // Mount namespaces of containers that may live on; processes in them which say that they are of another
  // step are spared.
  std::vector<int> containers = {};
  std::uint32_t job = 0, step = 0;  // whose processes in containers are not

  // Slurm puts a later step of the same name (the job was requeued) into the cgroup that is left of the
  // earlier. Once its slurmstepd is there, who else is in it cannot be told apart: with `reused` such a
  // cgroup is left alone, and its slurmstepd is named with those that are left. But not for `stepd`, which is
  // not killed, be it the one that begins the later step and has no tasks yet, or the one that ends this one.
  bool reused = false;
  int stepd = -1;  // pidfd
};

// Kills all of them, again and again until none is left or timeout_ms have passed; then removes the empty
// cgroups. The names of those that are left ("pid 17 (sleep)").
std::vector<std::string> kill_survivors(const Survivors& survivors, int timeout_ms);

}  // namespace cib
