// Gives back what steps and attachments to containers left on this node that have no living owner.
// Idempotent; one step's failure stops no other's.
#pragma once

#include <string>
#include <vector>

#include "container_ib/world/kernel.hpp"
#include "container_ib/world/stored_steps.hpp"

namespace cib {

struct Reaped {
  std::vector<std::string> given_back;  // steps
  std::vector<std::string> findings;    // one line each: what could not be given back, and what to do
  std::vector<std::string> deaths;      // one line each: during what an agent died, and where its journal is
};

// `job`: only steps of this job, or what has exactly this name ("pid-4711"); empty: all. `ended_stepd`: the
// pid of a slurmstepd whose step is over, though it lives to say so; empty: none.
Result<Reaped> reap(StoredSteps& stored, Kernel& kernel, const std::string& job,
                    const std::string& ended_stepd = "");

// The process that a record of the journal is about.
JournaledProcess process_of(const std::vector<Record>& journal, const TaskProcess& process);

// What an agent had begun and not ended when it died, "during vf_link of 0000:81:00.1 (record 12)", or what
// it had ended last, "after ...".
std::string last_of(const std::vector<Record>& journal);

// For `list`: who holds what since when. `ending`: slurmstepd is gone, and the agent gives back. What is
// attached to a container runs while the container's process does, but is an orphan as long as it is not
// whole and nobody is at it.
enum class StepState { running, ending, orphaned, of_earlier_boot, unreadable };
StepState state_of(StoredSteps& stored, const std::string& boot_id, const JournaledStep& step,
                   const std::string& ended_stepd = "");

// Of one that is ending: "slurmstepd has died, and its agent, pid 17".
std::string explain_ending(const JournaledStep& step);

}  // namespace cib
