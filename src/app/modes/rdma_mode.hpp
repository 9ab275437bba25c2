// What the modes that give tasks a network of their own say of the RDMA subsystem's two modes.
#pragma once

#include <algorithm>
#include <string>

#include "app/modes/mode_unit.hpp"

namespace cib {

inline constexpr const char* how_to_switch_rdma =
    "; 'rdma system set netns exclusive|shared' switches it while there is no network namespace but the "
    "node's, the module option ib_core netns_mode=0|1 at boot";

// The likely reason when an interface of a port's own has no carrier.
inline std::string why_no_carrier_of(const Port& port) {
  if (port.link_layer == LinkLayer::ethernet) return "its cable, or its VF at the PF, is down";
  return "the subnet manager has not let it join, or knows neither its P_Key nor its GUID";
}

// Empty where nobody knows.
inline std::optional<bool> rdma_is_exclusive(const NodeFacts& facts) {
  if (!facts.rdma_is_exclusive || !*facts.rdma_is_exclusive) return std::nullopt;
  return **facts.rdma_is_exclusive;
}

// Why the RDMA subsystem cannot be asked.
inline Status rdma_answers(const NodeFacts& facts) {
  if (!facts.rdma_is_exclusive || *facts.rdma_is_exclusive) return {};
  return Error(facts.rdma_is_exclusive->error()).in("cannot be used");
}

// Whether tasks in a network of their own can open devices that stay on the node: in the RDMA subsystem's
// exclusive mode they cannot (rdma_dev_access_netns). Without that subsystem no device is one namespace's.
inline Status shares_devices(const NodeFacts& facts) {
  const auto answer = rdma_answers(facts);
  if (!answer && answer.error().code != Errc::unsupported) return answer;
  if (rdma_is_exclusive(facts) != true) return {};
  return error(Errc::unsupported,
               std::string("needs the RDMA subsystem's shared mode, and this node is in exclusive mode") +
                   how_to_switch_rdma);
}

// Whether tasks may be given RDMA devices: in the shared mode they are not theirs alone.
inline Status may_hand_out_devices(const NodeFacts& facts) {
  CIB_CHECK(rdma_answers(facts));
  if (rdma_is_exclusive(facts) != false || facts.site.vf.shared_rdma) return {};
  return error(
      Errc::unsupported,
      std::string("needs the RDMA subsystem's exclusive mode at this site (vf.shared_rdma), and this "
                  "node is in shared mode") +
          how_to_switch_rdma);
}

// What that does not give in the shared mode. `what`: that tasks are given, "VFs".
inline std::string caveat_of_handing_out(const NodeFacts& facts, const std::string& what) {
  if (rdma_is_exclusive(facts) != false) return {};
  return "without isolation: in the RDMA subsystem's shared mode every process on the node can open the " +
         what;
}

// Of a mode whose interfaces are of no use without an address.
inline Status has_address_pool(const NodeFacts& facts) {
  if (!facts.site.addresses.pool.empty()) return {};
  return error(Errc::bad_config,
               "needs [addresses] in the site's file, as its interfaces have no address "
               "otherwise");
}

// Why no HCA of a live node has a network device, of InfiniBand or of any kind; empty when one has.
inline std::string lacks_netdev(const NodeFacts& facts, std::optional<LinkLayer> layer = {}) {
  const auto& ports = facts.inventory.ports;
  const bool none = std::none_of(ports.begin(), ports.end(), [&](const Port& port) {
    return (!layer || port.link_layer == *layer) && !port.netdevs.empty();
  });
  if (!facts.rdma_is_exclusive || !none) return {};
  return std::string("no HCA has ") + (layer ? "an IPoIB interface" : "a network device") +
         "; see 'modprobe ib_ipoib'";
}

}  // namespace cib
