#include "app/modes/hand_over.hpp"

namespace cib {

Result<NetworkDevice> hand_over(const InterfaceFacts& step, const VfIdentity& function,
                                const NetnsFile& netns, const std::string& netdev, const Port& port) {
  const bool exclusive = step.rdma_is_exclusive;
  // An IPoIB interface goes with its RDMA device, an Ethernet one stays.
  const bool remade = exclusive && port.link_layer != LinkLayer::ethernet;
  if (exclusive) CIB_CHECK(step.run(MoveRdmaDevice{function, netns}));
  CIB_CHECK(step.run(MoveVfLink{function, netns, netdev, remade}));
  NetworkDevice device{.port = port, .netns = netns, .netdev = netdev, .address = ""};
  CIB_TRY(device.port.device, step.node.rdma_device(function.pci, exclusive ? netns : ""));
  return device;
}

}  // namespace cib
