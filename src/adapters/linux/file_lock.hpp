// Locks between processes, which end with the last descriptor of the open file, so with the process.
#pragma once

#include <string>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// By flock(2), also of a directory. `path` is for the message; timed_out when another process holds it for
// that long.
Status lock(const UniqueFd& file, const std::string& path, int timeout_ms);

// The same for a file that is open for writing, and who comes first has it first. A waiter that dies is no
// longer in the line. The two kinds do not see each other.
Status lock_in_turn(const UniqueFd& file, const std::string& path, int timeout_ms);

}  // namespace cib
