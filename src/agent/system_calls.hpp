#pragma once

#include "container_ib/result.hpp"

namespace cib {

// From here on this process and its children make no system call but those of the agent's table; any other
// fails with ENOSYS, as on a kernel that lacks it, so that the C library takes the older call where it knows
// one. Refusals are in the kernel's audit log. There is no way back (seccomp(2)).
Status allow_only_needed_calls();

// The same for the reaper, which also undoes what `container-ib attach` has done.
Status allow_only_calls_of_reaper();

// The same for the relay, which has a table of its own: it talks on sockets, and opens no file.
Status allow_only_calls_of_relay();

}  // namespace cib
