#include "agent/live_node.hpp"

#include <charconv>

#include "adapters/linux/process.hpp"
#include "adapters/linux/trusted_file.hpp"
#include "adapters/netlink/network_counters.hpp"
#include "container_ib/inventory.hpp"

namespace cib {

namespace {

constexpr const char* default_config = "/etc/slurm/container-ib.conf";

Result<std::uint64_t> read_counter(const std::string& path) {
  CIB_TRY(const std::string text, read_small_file(path));
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc())
    return error(Errc::kernel, path + " is no number");
  return value;
}

}  // namespace

// A site that named no file may have none: then the defaults hold. One that it named must be there.
Result<SiteConfig> LiveNode::site_config(const std::string& path) {
  auto text = read_trusted_file(path.empty() ? default_config : path);
  if (!text && path.empty() && text.error().code == Errc::not_found) return SiteConfig{};
  if (!text) return std::move(text).error();
  return parse_config(*text, path.empty() ? default_config : path);
}

Result<Inventory> LiveNode::inventory(const SiteConfig& site) {
  InventorySource source;
  source.cache = state_dir_;
  if (!site.topology_xml.empty()) {
    source.kind =
        InventorySource::Kind::xml;  // the administrator knows better (virtual machines); states stay live
    source.path = site.topology_xml;
    source.sysfs = "/sys";
  }
  return load_inventory(source);
}

// IBTA counts port data in 32-bit words (PortXmitData, PortRcvData).
Result<NodeCounters> LiveNode::counters(const std::vector<Port>& ports) {
  constexpr std::uint64_t word = 4;
  NodeCounters counters;
  std::vector<std::string> ipoib;
  for (const Port& port : ports) {
    const std::string directory =
        "/sys/class/infiniband/" + port.device + "/ports/" + std::to_string(port.number) + "/counters/";
    CIB_TRY(const auto sent, read_counter(directory + "port_xmit_data"));
    CIB_TRY(const auto received, read_counter(directory + "port_rcv_data"));
    counters.verbs_sent += sent * word;
    counters.verbs_received += received * word;
    ipoib.insert(ipoib.end(), port.netdevs.begin(), port.netdevs.end());
  }
  CIB_TRY(const NetworkCounters network, network_counters(ipoib));
  counters.tcp_sent = network.sent;
  counters.tcp_received = network.received;
  counters.ipoib_sent = network.ipoib_sent;
  counters.ipoib_received = network.ipoib_received;
  return counters;
}

}  // namespace cib
