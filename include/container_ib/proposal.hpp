// What a node's PCI tree suggests that no rule can know: that HCAs beside no GPU are for storage or the front
// end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "container_ib/placement.hpp"

namespace cib {

// A [[nodes]] entry for the site's file.
struct NodeProposal {
  std::string name;
  std::vector<std::string> hca;       // beside GPUs: devices, and ports of devices whose other ports are not
  std::vector<std::string> left_out;  // ports that could be used and share a PCIe switch with none

  std::string toml() const;
};

// Where some of the eligible ports share a PCIe switch with a GPU and others share one with none, and it is
// known of each. Nothing where the site has a rule for the node already, or the user names HCAs. `name` is
// what the entry is to be for.
std::optional<NodeProposal> propose_node_rule(const Inventory& node, const PlacementOptions& options,
                                              const Assignment& assignment, const std::string& name);

}  // namespace cib
