#include "app/modes/roce_gid.hpp"

namespace cib {

Status keep_own_gid(const InterfaceFacts& step, NetworkDevice& device) {
  if (device.port.link_layer != LinkLayer::ethernet || device.address.empty()) return {};
  auto gid = step.node.await_gid(device.port, step.rdma_is_exclusive ? device.netns : "",
                                 device.address.substr(0, device.address.find('/')),
                                 static_cast<int>(step.site.carrier_timeout_s) * 1000);
  if (!gid) return std::move(gid).error().in(step.node_name);
  device.port.gids = {std::move(*gid)};
  return {};
}

}  // namespace cib
