#include "adapters/netlink/ipoib_link.hpp"

#include <linux/if_link.h>
#include <netlink/attr.h>

namespace cib {

Status create_ipoib_child(Links& links, const IpoibChild& child) {
  const auto options = [&](nl_msg* m) {
    const std::uint16_t mode = child.connected ? IPOIB_MODE_CONNECTED : IPOIB_MODE_DATAGRAM;
    return (!child.pkey || ::nla_put_u16(m, IFLA_IPOIB_PKEY, *child.pkey) == 0) &&
           ::nla_put_u16(m, IFLA_IPOIB_MODE, mode) == 0;
  };
  return links.create({child.name, "ipoib", child.parent_index, options},
                      "create IPoIB interface " + child.name);
}

}  // namespace cib
