#include "app/modes/roce_gid.hpp"

#include "container_ib/ipv4.hpp"

namespace cib {

Status keep_own_gid(const InterfaceFacts& step, NetworkDevice& device) {
  if (device.port.link_layer != LinkLayer::ethernet || device.address.empty()) return {};
  const std::string address = device.address.substr(0, device.address.find('/'));
  device.port.gids.clear();
  if (!parse_ipv4(address)) return {};  // the library's own choice
  auto gid = step.node.await_gid(device.port, step.rdma_is_exclusive ? device.netns : "", address,
                                 static_cast<int>(step.site.carrier_timeout_s) * 1000);
  if (!gid) return std::move(gid).error().in(step.node_name);
  device.port.gids = {std::move(*gid)};
  return {};
}

}  // namespace cib
