#pragma once

#include <cstdint>
#include <optional>

#include "container_ib/result.hpp"

namespace cib {

// Raises RLIMIT_MEMLOCK, soft and hard, of the process behind the pidfd to `cap` bytes (empty: unlimited);
// never lowers one. Ended when the process has.
//
// prlimit(2) takes nothing but a number. That it is the process' own is asked before and after: should the
// process end and be waited for in between, and all numbers be used once in that time, a stranger's limit
// would be raised, and the answer still be that the process has ended.
Status raise_memlock_of(int pidfd, std::optional<std::uint64_t> cap);

}  // namespace cib
