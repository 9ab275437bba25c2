// What the modes that give tasks a network of their own say of the RDMA subsystem's two modes.
#pragma once

#include <algorithm>
#include <string>

#include "app/modes/mode_unit.hpp"

namespace cib {

inline constexpr const char* how_to_switch_rdma =
    "; 'rdma system set netns exclusive|shared' switches it while there is no network namespace but the "
    "node's, the module option ib_core netns_mode=0|1 at boot";

inline constexpr const char* why_no_ipoib_carrier =
    "the subnet manager has not let it join, or knows neither its P_Key nor its GUID";

// Empty where nobody knows.
inline std::optional<bool> rdma_is_exclusive(const NodeFacts& facts) {
  if (!facts.rdma_is_exclusive || !*facts.rdma_is_exclusive) return std::nullopt;
  return **facts.rdma_is_exclusive;
}

// Why the RDMA subsystem cannot be asked.
inline Status rdma_answers(const NodeFacts& facts) {
  if (!facts.rdma_is_exclusive || *facts.rdma_is_exclusive) return {};
  return facts.rdma_is_exclusive->error();
}

// Why no HCA of a live node gives anybody an IPoIB interface; empty when one does.
inline std::string lacks_ipoib(const NodeFacts& facts) {
  const auto& ports = facts.inventory.ports;
  const bool none = std::none_of(ports.begin(), ports.end(), [](const Port& port) {
    return port.link_layer == LinkLayer::infiniband && !port.netdevs.empty();
  });
  return facts.rdma_is_exclusive && none ? "no HCA has an IPoIB interface; see 'modprobe ib_ipoib'" : "";
}

}  // namespace cib
