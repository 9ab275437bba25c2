// Whether this node is as the journals of its living steps say: what CNI calls CHECK. Reads only.
#pragma once

#include <string>
#include <vector>

#include "container_ib/world/kernel.hpp"
#include "container_ib/world/stored_steps.hpp"

namespace cib {

struct Checked {
  std::vector<std::string> attachments;  // steps that were looked at
  unsigned changing = 0;                 // steps that begin or end, and were passed over
  std::vector<std::string> faults;       // one line each: what is otherwise, and what to do
};

// `which`: a job "17" or a step "17.0"; empty: all. not_found when nothing of that name is attached here.
// Steps without a living owner are the reaper's, and only told when they were asked for.
Result<Checked> check(StoredSteps& stored, Kernel& kernel, const std::string& which);

}  // namespace cib
