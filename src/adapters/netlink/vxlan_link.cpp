#include "adapters/netlink/vxlan_link.hpp"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <netlink/attr.h>

namespace cib {

namespace {

constexpr std::uint16_t vxlan_port = 4789;

}  // namespace

Status create_vxlan(Links& links, const Vxlan& vxlan) {
  const auto options = [&](nl_msg* m) {
    return ::nla_put_u32(m, IFLA_VXLAN_ID, vxlan.vni) == 0 &&
           ::nla_put_u32(m, IFLA_VXLAN_LINK, static_cast<std::uint32_t>(vxlan.lower_index)) == 0 &&
           ::nla_put_u32(m, IFLA_VXLAN_LOCAL, htonl(vxlan.local)) == 0 &&
           ::nla_put_u16(m, IFLA_VXLAN_PORT, htons(vxlan_port)) == 0 &&
           ::nla_put_u8(m, IFLA_VXLAN_LEARNING, 1) == 0;
  };
  // Its lower interface is in IFLA_VXLAN_LINK, and IFLA_LINK is not read.
  return links.create({vxlan.name, "vxlan", 0, options}, "create VXLAN interface " + vxlan.name);
}

// An entry of the address that is nobody's is for all that the interface does not know (vxlan_xmit).
Status add_vxlan_peers(Links& links, int index, const std::vector<std::uint32_t>& peers) {
  for (const std::uint32_t peer : peers) CIB_CHECK(links.append_forwarding(index, {}, peer));
  return {};
}

}  // namespace cib
