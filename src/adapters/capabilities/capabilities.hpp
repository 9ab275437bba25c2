// What a process that was started as root may still do (capabilities(7)).
#pragma once

#include "container_ib/result.hpp"

namespace cib {

// The command becomes nobody else: it starts no relay, and makes nothing with a user's rights. But for
// 'container-ib attach', which has what the agent has.
enum class Privileges { of_agent, of_command };

// Gives up every other capability, also for what is exec'ed, and gaining any by exec. One that is needed and
// not there is no error here: the call that wants it says so. Without root there is nothing to give up.
Status keep_needed_capabilities(Privileges which);

// Whether root may raise limits here: in a container it may not have that capability.
bool root_may_raise_limits();

// Gives up all of them.
Status drop_capabilities();

}  // namespace cib
