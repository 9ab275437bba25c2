// Gives back what steps without a living owner left on this node. Idempotent; one step's failure stops no
// other's.
#pragma once

#include <string>
#include <vector>

#include "container_ib/ports/kernel.hpp"
#include "container_ib/ports/remains.hpp"

namespace cib {

struct Reaped {
  std::vector<std::string> given_back;  // steps
  std::vector<std::string> findings;    // one line each: what could not be given back, and what to do
};

// `job`: only steps of this job; empty: all. `ended_stepd`: the pid of a slurmstepd whose step is over,
// though it lives to say so; empty: none.
Result<Reaped> reap(Remains& remains, Kernel& kernel, const std::string& job,
                    const std::string& ended_stepd = "");

// The process of a journal's record, whose fields begin with "stepd", "agent", "relay" or "task".
JournaledProcess process_of(const Record& record, const std::string& prefix);

// For `list`: who holds what since when.
enum class StepState { running, orphaned, of_earlier_boot, unreadable };
StepState state_of(Remains& remains, const std::string& boot_id, const JournaledStep& step,
                   const std::string& ended_stepd = "");

}  // namespace cib
