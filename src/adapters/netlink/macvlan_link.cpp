#include "adapters/netlink/macvlan_link.hpp"

#include <linux/if_link.h>
#include <netlink/attr.h>

namespace cib {

Status create_macvlan(Links& links, const Macvlan& macvlan) {
  const auto options = [&](nl_msg* m) {
    const std::uint32_t mode = macvlan.isolated ? MACVLAN_MODE_PRIVATE : MACVLAN_MODE_BRIDGE;
    return ::nla_put_u32(m, IFLA_MACVLAN_MODE, mode) == 0;
  };
  return links.create({macvlan.name, "macvlan", macvlan.parent_index, options},
                      "create macvlan interface " + macvlan.name);
}

}  // namespace cib
