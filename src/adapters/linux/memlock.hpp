#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "container_ib/result.hpp"

namespace cib {

// Raises RLIMIT_MEMLOCK, soft and hard, of the process to `cap` bytes (empty: unlimited); never lowers one.
Status raise_memlock_of(pid_t pid, std::optional<std::uint64_t> cap);

}  // namespace cib
