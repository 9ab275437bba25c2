#include "ports_view.hpp"

#include <fmt/core.h>

#include "container_ib/text.hpp"

namespace cib::cli {

namespace {

constexpr std::size_t longest_reason = 200;

}  // namespace

std::string link_layer_name(LinkLayer layer) {
  switch (layer) {
    case LinkLayer::infiniband:
      return "InfiniBand";
    case LinkLayer::ethernet:
      return "Ethernet";
    case LinkLayer::unknown:
      break;
  }
  return "unknown";
}

std::vector<Row> ports_table(const Inventory& node, const Assignment& assignment) {
  std::vector<Row> rows = {{"PORT", "PCI", "NUMA", "STATE", "LINK", "GBIT/S", "CONNECTOR", "FOR MPI"}};
  for (const auto& verdict : assignment.verdicts) {
    const Port& port = node.ports[verdict.port];
    rows.push_back(
        {printable(port.name(), 24), port.pci ? port.pci->text() : "", numa_text(port),
         std::string(port_state_name(port.state)), link_layer_name(port.link_layer),
         port.rate_gbps > 0 ? fmt::format("{:g}", port.rate_gbps) : "", printable(verdict.connector, 24),
         verdict.eligible
             ? verdict.remark.empty() ? "yes" : "yes, but " + printable(verdict.remark, longest_reason)
             : "no: " + printable(verdict.why_not, longest_reason)});
  }
  return rows;
}

std::vector<std::string> eligible_ports(const Inventory& node, const Assignment& assignment) {
  std::vector<std::string> names;
  for (const std::size_t port : cib::eligible_ports(assignment)) names.push_back(node.ports[port].name());
  return names;
}

}  // namespace cib::cli
