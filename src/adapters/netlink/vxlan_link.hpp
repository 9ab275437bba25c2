// VXLAN interfaces without multicast.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/netlink/links.hpp"
#include "container_ib/result.hpp"

namespace cib {

struct Vxlan {
  std::string name;
  int lower_index = 0;      // of the interface with the address `local`, whose MTU decides this one's
  unsigned vni = 0;         // 24 bits
  std::uint32_t local = 0;  // IPv4, host byte order
};

// At UDP port 4789 (RFC 7348, 4.1). What it is to send that is for nobody in particular goes to its peers,
// one after the other; where others are it learns.
Status create_vxlan(Links& links, const Vxlan& vxlan);
Status add_vxlan_peers(Links& links, int index, const std::vector<std::uint32_t>& peers);

}  // namespace cib
