// Locks between processes, by flock(2): they end with the last descriptor of the open file, so with the
// process.
#pragma once

#include <string>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// `path` is for the message; timed_out when another process holds it for that long.
Status lock(const UniqueFd& file, const std::string& path, int timeout_ms);

}  // namespace cib
