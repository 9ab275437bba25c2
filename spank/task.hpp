// A task's half, in the process that becomes the user's program.
#pragma once

#include "spank/slurmstepd.hpp"
#include "spank/spank_abi.hpp"

namespace cib {

// task_init_privileged: still root, no code of the user has run. Makes the task's own mount namespace and
// hands it to the agent. 0, or -1 when the task must not run.
int enter_task(spank_t spank, SlurmstepdHalf& step);

// task_init: the user, bound to its CPUs, with its GPUs and PMIx variables in the environment. Waits for the
// node's placement and takes over the environment. 0, or -1 when the task must not run: the last place where
// that fails the step cleanly, without draining the node.
int attach_task(spank_t spank, SlurmstepdHalf& step);

}  // namespace cib
