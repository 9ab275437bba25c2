#pragma once

#include <cstdint>

#include "container_ib/result.hpp"

namespace cib {

struct ByteCounts {
  std::uint64_t sent = 0, received = 0;
};

// Sum over this network namespace's devices that carry bytes of their own: everything but lo, IPoIB (its bytes are the
// HCA's) and devices that only pass on to a lower one (bond, bridge, vlan, ...), which would count twice.
Result<ByteCounts> network_byte_counts();

}  // namespace cib
