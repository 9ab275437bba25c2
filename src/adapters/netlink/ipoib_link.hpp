// IPoIB child interfaces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "adapters/netlink/links.hpp"
#include "container_ib/result.hpp"

namespace cib {

struct IpoibChild {
  std::string name;
  int parent_index = 0;
  std::optional<std::uint16_t> pkey;  // empty: the parent's
  bool connected = false;             // connected mode instead of datagram
};

// Where the port's table lacks the P_Key the kernel makes it too, and it never has a carrier.
Status create_ipoib_child(Links& links, const IpoibChild& child);

}  // namespace cib
