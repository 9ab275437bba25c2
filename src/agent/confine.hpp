#pragma once

#include "container_ib/result.hpp"

namespace cib {

// Makes this process what the agent may be and no more: outside the step's cgroup, in a session of its own,
// no open descriptor but the lifeline, only the capabilities that attaching needs, none of which an exec can
// win back.
Status confine(int lifeline);

}  // namespace cib
