// Undoes what a journal says was done to the node. The agent calls it for its own step, and whoever reaps for
// a dead one's: what rolls back is what reaps.
#pragma once

#include <string>
#include <vector>

#include "container_ib/journal.hpp"
#include "container_ib/world/kernel.hpp"

namespace cib {

// The records of changes that may be in force: begun, and not marked as undone. Newest first.
std::vector<const Record*> in_force(const std::vector<Record>& records);

struct GivenBack {
  std::vector<Record> undone;
  std::vector<std::string> failed;  // one line each
};

// Undoes them in this order, newest first. One that fails keeps what it rests on: a VF that did not come
// home stays claimed and as it is, and its namespace stays. It stops no other, be that in the same namespace
// or of the same HCA.
GivenBack give_back(Kernel& kernel, const std::vector<const Record*>& records);

}  // namespace cib
