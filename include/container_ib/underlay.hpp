// What the overlays of a step's nodes run over: the addresses that the nodes have on one of the site's
// networks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "container_ib/config.hpp"

namespace cib {

struct Underlay {
  std::uint32_t local = 0;           // this node's address there, host byte order
  std::vector<std::uint32_t> peers;  // those of the step's other nodes
};

// Every node of the step finds the same network from the site's file alone: the first that all of `nodes`
// have. Errors: bad_config when the site names none for this node, unusable when the nodes have none in
// common.
Result<Underlay> underlay_of_step(const std::vector<OverlayNodes>& site, const std::string& node_name,
                                  const std::vector<std::string>& nodes);

// Whether the site names a network for this node: ok, or the error that underlay_of_step() has.
Status check_underlay(const std::vector<OverlayNodes>& site, const std::string& node_name);

// Whether the nodes' addresses are within their network: ok, or the reason. For whoever reads the site's
// file.
Status check_overlay_nodes(const OverlayNodes& entry);

// The VXLAN network identifier (24 bits) of a step, which all its nodes must have and no other step on any of
// them: 16 bits of the job's number and 8 of the step's, as the kernel wants one for each VXLAN interface of
// a namespace and port (vxlan_config_validate in vxlan_core.c), and two steps of a job may share a node. Who
// has it on a node claims it.
unsigned overlay_vni(std::uint32_t job, std::uint32_t step);

}  // namespace cib
