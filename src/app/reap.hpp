// Gives back what steps without a living owner left on this node. Idempotent; one step's failure stops no
// other's.
#pragma once

#include <string>
#include <vector>

#include "container_ib/ports/remains.hpp"

namespace cib {

struct Reaped {
  std::vector<std::string> given_back;  // steps
  std::vector<std::string> findings;    // one line each: what could not be given back, and what to do
};

// `job`: only steps of this job; empty: all.
Result<Reaped> reap(Remains& remains, const std::string& job);

// For `list`: who holds what since when.
enum class StepState { running, orphaned, of_earlier_boot, unreadable };
StepState state_of(Remains& remains, const std::string& boot_id, const JournaledStep& step);

}  // namespace cib
