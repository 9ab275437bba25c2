#include "ports_view.hpp"

#include <fmt/core.h>

#include "container_ib/text.hpp"

namespace cib::cli {

namespace {

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

nlohmann::ordered_json pci_json(const std::optional<PciAddress>& pci) {
  return pci ? nlohmann::ordered_json(pci->text()) : nlohmann::ordered_json(nullptr);
}

}  // namespace

nlohmann::ordered_json ports_json(const Inventory& node, const Assignment& assignment) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& verdict : assignment.verdicts) {
    const Port& port = node.ports[verdict.port];
    list.push_back({{"name", port.device},
                    {"port", port.number},
                    {"pci", pci_json(port.pci)},
                    {"numa", port.numa},
                    {"state", port_state_name(port.state)},
                    {"link_layer", link_layer_name(port.link_layer)},
                    {"rate_gbps", port.rate_gbps},
                    {"physical_port", verdict.physical_port},
                    {"eligible", verdict.eligible},
                    {"why_not", verdict.why_not}});
  }
  return list;
}

std::vector<Row> ports_table(const Inventory& node, const Assignment& assignment) {
  std::vector<Row> rows = {{"PORT", "PCI", "NUMA", "STATE", "LINK", "GBIT/S", "CONNECTOR", "FOR MPI"}};
  for (const auto& verdict : assignment.verdicts) {
    const Port& port = node.ports[verdict.port];
    rows.push_back({printable(port.name(), 24), port.pci ? port.pci->text() : "", numa_text(port),
                    std::string(port_state_name(port.state)), link_layer_name(port.link_layer),
                    port.rate_gbps > 0 ? fmt::format("{:g}", port.rate_gbps) : "",
                    printable(verdict.physical_port, 24),
                    verdict.eligible ? "yes" : "no: " + printable(verdict.why_not)});
  }
  return rows;
}

std::vector<std::string> eligible_ports(const Inventory& node, const Assignment& assignment) {
  std::vector<std::string> names;
  for (const auto& verdict : assignment.verdicts)
    if (verdict.eligible) names.push_back(node.ports[verdict.port].name());
  return names;
}

std::string numa_text(const Port& port) {
  std::vector<std::string> nodes;
  for (const unsigned node : port.numa) nodes.push_back(std::to_string(node));
  return join(nodes, ",");
}

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace cib::cli
