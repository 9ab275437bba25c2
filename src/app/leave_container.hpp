// Gives back what is attached to a container. Whoever does it is another process than who attached, so
// everything follows from the journals.
#pragma once

#include <string>
#include <vector>

#include "container_ib/world/kernel.hpp"
#include "container_ib/world/stored_steps.hpp"

namespace cib {

// The devices first, then what the journal undoes. What could not be given back, one line each; then the
// journal stays. The caller has the attachment exclusively; its container may live on.
std::vector<std::string> give_container_back(StoredSteps& stored, Kernel& kernel,
                                             const JournaledStep& attachment);

struct Detached {
  std::vector<std::string> failed;  // one line each
};

// What 'container-ib detach' does. `name`: "pid-4711". Bad_request when it is a step's, not_found when
// nothing of that name is attached, in_use while it is being attached.
Result<Detached> detach(StoredSteps& stored, Kernel& kernel, const std::string& name);

}  // namespace cib
