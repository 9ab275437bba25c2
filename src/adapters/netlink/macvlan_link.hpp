// macvlan interfaces.
#pragma once

#include <string>

#include "adapters/netlink/links.hpp"
#include "container_ib/result.hpp"

namespace cib {

struct Macvlan {
  std::string name;
  int parent_index = 0;
  bool isolated = false;  // MACVLAN_MODE_PRIVATE instead of MACVLAN_MODE_BRIDGE
};

// The kernel takes a parent of Ethernet only (macvlan_port_create in macvlan.c).
Status create_macvlan(Links& links, const Macvlan& macvlan);

}  // namespace cib
