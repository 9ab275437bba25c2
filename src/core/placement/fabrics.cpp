#include "fabrics.hpp"

#include <map>
#include <set>
#include <utility>

#include "container_ib/request.hpp"

namespace cib {

namespace {

constexpr std::size_t max_parts = 64;                         // keeps nonsense input from taking long
constexpr std::uint64_t default_prefix = 0xfe80000000000000;  // IBTA 4.1.1

Fabric by_prefix(const Port& port) {
  const Fabric::Kind kind = kind_of(port);
  if (kind != Fabric::Kind::infiniband) return {kind};
  return {kind, port.subnet_prefix.value_or(default_prefix)};
}

// A port that does not know its subnet manager is taken to be with those of the first.
void tell_managers_apart(const std::vector<Port>& ports, const std::vector<bool>& counts,
                         std::vector<Fabric>& fabrics) {
  std::map<std::uint64_t, std::set<std::uint32_t>> managers;
  for (std::size_t i = 0; i < ports.size(); ++i)
    if (counts[i] && fabrics[i].kind == Fabric::Kind::infiniband && ports[i].sm_lid != 0)
      managers[fabrics[i].prefix].insert(ports[i].sm_lid);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (!counts[i] || fabrics[i].kind != Fabric::Kind::infiniband) continue;
    const auto found = managers.find(fabrics[i].prefix);
    if (found == managers.end() || found->second.size() < 2) continue;
    fabrics[i].sm_lid = ports[i].sm_lid != 0 ? ports[i].sm_lid : *found->second.begin();
  }
}

// In the order of the ports each goes to the first part in which no other connector has its LID.
void tell_lids_apart(const std::vector<Port>& ports, const std::vector<std::string>& physical,
                     const std::vector<bool>& counts, std::vector<Fabric>& fabrics) {
  using Lids = std::map<std::uint32_t, std::string>;  // and the connector that has it
  std::map<Fabric, std::vector<Lids>> subnets;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (!counts[i] || fabrics[i].kind != Fabric::Kind::infiniband) continue;
    if (ports[i].lid == 0 || ports[i].sm_lid == 0) continue;
    auto& parts = subnets[fabrics[i]];
    std::size_t part = 0;
    while (part < parts.size()) {
      const auto other = parts[part].find(ports[i].lid);
      if (other == parts[part].end() || other->second == physical[i] || part + 1 == max_parts) break;
      ++part;
    }
    if (part == parts.size()) parts.emplace_back();
    parts[part].emplace(ports[i].lid, physical[i]);
    fabrics[i].part = static_cast<unsigned>(part);
  }
}

}  // namespace

Fabric::Kind kind_of(const Port& port) {
  if (port.link_layer == LinkLayer::ethernet) return Fabric::Kind::ethernet;
  // The driver says "unspecified" (efa_port_link_layer in efa_verbs.c), which sysfs shows as Unknown.
  return port.link_layer == LinkLayer::unknown && port.driver == "efa" ? Fabric::Kind::efa
                                                                       : Fabric::Kind::infiniband;
}

std::string_view kind_name(Fabric::Kind kind) {
  switch (kind) {
    case Fabric::Kind::ethernet:
      return "Ethernet";
    case Fabric::Kind::efa:
      return "EFA";
    case Fabric::Kind::infiniband:
      break;
  }
  return "InfiniBand";
}

std::vector<Fabric> fabrics_of(const std::vector<Port>& ports, const std::vector<std::string>& physical,
                               const std::vector<bool>& counts) {
  std::vector<Fabric> fabrics;
  for (const Port& port : ports) fabrics.push_back(by_prefix(port));
  tell_managers_apart(ports, counts, fabrics);
  tell_lids_apart(ports, physical, counts, fabrics);
  return fabrics;
}

std::string fabric_text(const Fabric& fabric) {
  if (fabric.kind != Fabric::Kind::infiniband) return std::string(kind_name(fabric.kind));
  std::string text = "subnet prefix " + subnet_prefix_text(fabric.prefix);
  if (fabric.sm_lid != 0) text += ", subnet manager at LID " + std::to_string(fabric.sm_lid);
  return text;
}

}  // namespace cib
