#include "json.hpp"

#include "ports_view.hpp"

namespace cib::cli {

namespace {

nlohmann::ordered_json pci_json(const std::optional<PciAddress>& pci) {
  return pci ? nlohmann::ordered_json(pci->text()) : nlohmann::ordered_json(nullptr);
}

}  // namespace

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

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
                    {"physical_port", verdict.connector},
                    {"eligible", verdict.eligible},
                    {"why_not", verdict.why_not},
                    {"remark", verdict.remark}});
  }
  return list;
}

}  // namespace cib::cli
