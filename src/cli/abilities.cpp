#include "abilities.hpp"

#include <algorithm>

#include "adapters/netlink/rdma_devices.hpp"

namespace cib::cli {

Abilities abilities_of(const NodeQuestion& question, bool has_port, bool live) {
  const auto& ports = question.inventory.ports;
  Abilities node{.port = has_port, .forbids_shared = !question.site.vf.shared_rdma};
  node.vf = std::any_of(ports.begin(), ports.end(), [](const Port& port) { return port.physfn.has_value(); });
  if (!live) return node;
  const auto exclusive = rdma_is_exclusive();
  if (exclusive)
    node.exclusive = *exclusive;
  else
    node.no_rdma = exclusive.error().message();
  node.no_ipoib = std::none_of(ports.begin(), ports.end(), [](const Port& port) {
    return port.link_layer == LinkLayer::infiniband && !port.netdevs.empty();
  });
  return node;
}

std::string why_not(Mode mode, const Abilities& node) {
  if (!check_mode(mode)) return "not in this version";
  if (!node.port) return "no eligible port";
  const bool in_namespaces = mode == Mode::vf || mode == Mode::ipoib;
  if (in_namespaces && !node.no_rdma.empty()) return node.no_rdma;
  if (mode == Mode::vf && !node.vf) return "no VFs; see sriov_numvfs of the HCAs";
  if (mode == Mode::vf && node.exclusive == false && node.forbids_shared)
    return "the RDMA subsystem is in shared mode, which vf.shared_rdma forbids; see 'rdma system' and "
           "ib_core's netns_mode";
  if (mode == Mode::ipoib && node.exclusive == true)
    return "the RDMA subsystem is in exclusive mode; see 'rdma system' and ib_core's netns_mode";
  if (in_namespaces && node.no_ipoib) return "no HCA has an IPoIB interface; see 'modprobe ib_ipoib'";
  return "";
}

std::string caveat(Mode mode, const Abilities& node) {
  if (mode == Mode::vf && node.exclusive == false)
    return "without isolation: in the RDMA subsystem's shared mode every process on the node can open the "
           "VFs";
  return "";
}

}  // namespace cib::cli
