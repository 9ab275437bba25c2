#include "container_ib/proposal.hpp"

#include <algorithm>
#include <set>

#include "container_ib/nearness.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

template <class Item>
bool has_place(const Item& item) {
  return !item.pci_path.empty();
}

// Of each port, in their order.
std::vector<bool> beside_gpus(const Inventory& node, const std::vector<std::size_t>& ports) {
  std::vector<bool> beside(ports.size());
  for (const auto& of_gpu : nearness_of_gpus(node, ports))
    for (std::size_t i = 0; i < ports.size(); ++i) beside[i] = beside[i] || of_gpu[i] <= Nearness::bridges;
  return beside;
}

std::string quoted(const std::string& text) {
  return '"' + printable(text, std::string::npos) + '"';  // names of hosts and devices have no '"' and no '\'
}

}  // namespace

std::string NodeProposal::toml() const {
  std::vector<std::string> texts;
  for (const std::string& term : hca) texts.push_back(quoted(term));
  return "[[nodes]]\nname = " + quoted(name) + "\nhca = [" + join(texts) + "]\n";
}

std::optional<NodeProposal> propose_node_rule(const Inventory& node, const PlacementOptions& options,
                                              const Assignment& assignment, const std::string& name) {
  if (options.has_site_rule || options.hca != "*") return std::nullopt;
  const auto ports = eligible_ports(assignment);
  const bool all_known =
      std::all_of(node.gpus.begin(), node.gpus.end(), has_place<Gpu>) &&
      std::all_of(ports.begin(), ports.end(), [&](std::size_t port) { return has_place(node.ports[port]); });
  if (!all_known) return std::nullopt;
  const auto beside = beside_gpus(node, ports);

  NodeProposal proposal{name, {}, {}};
  std::set<std::string> partly;  // devices that also have a port to be left out
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (beside[i]) continue;
    proposal.left_out.push_back(node.ports[ports[i]].name());
    partly.insert(node.ports[ports[i]].device);
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const Port& port = node.ports[ports[i]];
    const std::string term = partly.contains(port.device) ? port.name() : port.device;
    if (beside[i] && (proposal.hca.empty() || proposal.hca.back() != term)) proposal.hca.push_back(term);
  }
  if (proposal.hca.empty() || proposal.left_out.empty()) return std::nullopt;
  return proposal;
}

}  // namespace cib
