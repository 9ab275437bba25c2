// What of ours is on this node that no living step accounts for.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "container_ib/world/stored_steps.hpp"

namespace cib {

// What bears our marks, in the state directory and in the node's own network namespace.
struct Marked {
  std::map<std::string, std::string> claims;  // name, owner
  std::map<std::string, std::string> links;   // name, tag; a link whose name alone is ours has no tag
};

// One line each: what is left, and what to do. `look` is asked before and after the journals are read, since
// a step writes down what it does before it does it, and may begin or end meanwhile.
Result<std::vector<std::string>> leftovers(StoredSteps& stored, const std::function<Result<Marked>()>& look);

}  // namespace cib
