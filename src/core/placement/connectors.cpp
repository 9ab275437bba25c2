#include "connectors.hpp"

#include <map>
#include <set>

#include "container_ib/text.hpp"

namespace cib {

namespace {

using PciSlot = std::tuple<std::uint32_t, std::uint8_t, std::uint8_t>;  // domain, bus, device

PciSlot slot_of(const PciAddress& pci) { return {pci.domain, pci.bus, pci.device}; }

bool is_mlx5(const Port& port) { return port.driver.starts_with("mlx5"); }

// Socket-direct and multi-host cards show one connector as functions in several slots, which then have one
// SysImageGUID; the function number tells the connectors of such a card apart. Only for mlx5: two independent
// Omni-Path HFIs of one vendor also share the SysImageGUID.
std::set<std::uint64_t> multi_slot_cards(const std::vector<Port>& ports) {
  std::map<std::uint64_t, std::set<PciSlot>> slots;
  for (const auto& port : ports)
    if (is_mlx5(port) && port.pci && !port.physfn && port.sys_image_guid != 0)
      slots[port.sys_image_guid].insert(slot_of(*port.pci));
  std::set<std::uint64_t> cards;
  for (const auto& [guid, where] : slots)
    if (where.size() > 1) cards.insert(guid);
  return cards;
}

std::string own_name(const Port& port, const std::set<std::uint64_t>& cards) {
  const std::string number = ":" + std::to_string(port.number);
  if (!port.pci) return port.device + number;
  if (cards.contains(port.sys_image_guid))
    return "0x" + hex(port.sys_image_guid, 16) + "." + std::to_string(port.pci->function) + number;
  return port.pci->text() + number;
}

}  // namespace

std::vector<std::string> connectors_of(const std::vector<Port>& ports) {
  const auto cards = multi_slot_cards(ports);
  std::map<std::pair<PciAddress, unsigned>, const Port*> functions;
  for (const auto& port : ports)
    if (port.pci && !port.physfn) functions.emplace(std::pair(*port.pci, port.number), &port);

  std::vector<std::string> names;
  for (const auto& port : ports) {
    if (!port.physfn) {
      names.push_back(own_name(port, cards));
      continue;
    }
    const auto parent = functions.find({*port.physfn, port.number});
    names.push_back(parent != functions.end() ? own_name(*parent->second, cards)
                                              : port.physfn->text() + ":" + std::to_string(port.number));
  }
  return names;
}

std::vector<std::vector<std::size_t>> by_connector(const std::vector<std::size_t>& ports,
                                                   const std::vector<std::string>& physical) {
  std::map<std::string, std::size_t> known;
  std::vector<std::vector<std::size_t>> connectors;
  for (const std::size_t port : ports) {
    const auto [entry, is_new] = known.emplace(physical[port], connectors.size());
    if (is_new) connectors.emplace_back();
    connectors[entry->second].push_back(port);
  }
  return connectors;
}

std::string pci_slot_name(const Port& port) {
  if (!port.pci) return {};
  const std::string text = port.pci->text();
  return text.substr(0, text.rfind('.'));
}

}  // namespace cib
