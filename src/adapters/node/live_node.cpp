#include "adapters/node/live_node.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "adapters/attach/free_vfs.hpp"
#include "adapters/attach/pci_function.hpp"
#include "adapters/attach/whole_device.hpp"
#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/deadline.hpp"
#include "adapters/linux/find_process.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/linux/trusted_file.hpp"
#include "adapters/netlink/links.hpp"
#include "adapters/netlink/listening_ports.hpp"
#include "adapters/netlink/network_counters.hpp"
#include "adapters/netlink/rdma_devices.hpp"
#include "adapters/node/rdma_users.hpp"
#include "adapters/node/site_file.hpp"
#include "adapters/state/claims.hpp"
#include "adapters/state/state_dir.hpp"
#include "adapters/sysfs/sysfs.hpp"
#include "container_ib/inventory.hpp"
#include "container_ib/ipv4.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr int carrier_pause_ms = 5, gid_pause_ms = 5;

Result<std::uint64_t> read_counter(const std::string& path) {
  CIB_TRY(const std::string text, read_small_file(path));
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc())
    return error(Errc::kernel, path + " is no number");
  return value;
}

// IBTA counts port data in 32-bit words (PortXmitData, PortRcvData). EFA has no such counters, and bytes in
// its own (efa_port_stats_descs in efa_verbs.c).
Status add_port_counters(const std::string& sysfs, const Port& port, NodeCounters& sum) {
  const bool efa = port.driver == "efa";
  const std::uint64_t unit = efa ? 1 : 4;
  const std::string directory = sysfs + "/class/infiniband/" + port.device + "/ports/" +
                                std::to_string(port.number) + (efa ? "/hw_counters/" : "/counters/");
  CIB_TRY(const auto sent, read_counter(directory + (efa ? "tx_bytes" : "port_xmit_data")));
  CIB_TRY(const auto received, read_counter(directory + (efa ? "rx_bytes" : "port_rcv_data")));
  sum.verbs_sent += sent * unit;
  sum.verbs_received += received * unit;
  return {};
}

// In a namespace of ours every IPoIB interface is the tasks'.
Status add_network_counters(const NetnsFile& netns, const std::vector<std::string>& netdevs,
                            NodeCounters& sum) {
  std::optional<NetworkVisit> visit;
  if (!netns.empty()) {
    CIB_TRY(auto entered, NetworkVisit::to_pinned(netns));
    visit.emplace(std::move(entered));
  }
  CIB_TRY(const NetworkCounters network,
          network_counters(netns.empty() ? std::optional(netdevs) : std::nullopt));
  sum.tcp_sent += network.sent;
  sum.tcp_received += network.received;
  sum.ipoib_sent += network.ipoib_sent;
  sum.ipoib_received += network.ipoib_received;
  return {};
}

// As long as its agent lives; who attaches to a container ends at once, and then its process says so.
bool may_be_in_a_container(const JournaledStep& other) {
  if (other.held || !is_container_attachment(other.name)) return other.held;
  const Opened* open = other.records ? opened(*other.records) : nullptr;
  return open != nullptr && find_process(open->stepd.pid, open->stepd.start, open->pid_namespace);
}

// Invalid for the node's own, which is at node_sysfs.
Result<UniqueFd> sysfs_of(const NetnsFile& netns) {
  if (netns.empty()) return UniqueFd();
  CIB_TRY(const UniqueFd namespace_fd, open_pinned_network_namespace(netns));
  return sysfs_of_network_namespace(namespace_fd.get());
}

std::string root_of(const UniqueFd& sysfs) { return sysfs ? path_of(sysfs) : node_sysfs; }

// What is not known may be.
bool may_use(const JournaledStep& other, const Port& port) {
  if (!other.records) return true;
  if (!other.held && !is_container_attachment(other.name)) return false;  // reapers give it back
  const std::string ports = ports_of(*other.records).ports;
  const auto names = split(ports, ',');
  return std::find(names.begin(), names.end(), port.name()) != names.end();
}

}  // namespace

Result<SiteConfig> LiveNode::site_config(const std::string& path) {
  CIB_TRY(SiteFile file, read_site_file(path));
  return std::move(file.site);
}

Result<Inventory> LiveNode::inventory(const SiteConfig& site) {
  InventorySource source = inventory_source(site);
  source.cache = state_dir_;
  if (!site.topology_xml.empty()) CIB_CHECK(check_trusted_file(site.topology_xml));
  source.nccl_only = site.hand_to_nccl;
  auto inventory = load_inventory(source);
  if (!inventory && source.nccl_only && inventory.error().code == Errc::unsupported)
    return not_for_nccl(site);
  return inventory;
}

// A device that is at home in a task's namespace shows its counters there only, one that all namespaces share
// on the node only.
Result<NodeCounters> LiveNode::counters(const std::vector<PlacedPort>& ports) {
  NodeCounters sum;
  std::map<NetnsFile, std::vector<std::string>> ipoib;
  std::vector<std::string> of_node;
  for (const auto& [port, netns] : ports) {
    auto& netdevs = ipoib[netns];
    if (!netns.empty() && !port.physfn)
      of_node.insert(of_node.end(), port.netdevs.begin(), port.netdevs.end());
    if (netns.empty()) netdevs.insert(netdevs.end(), port.netdevs.begin(), port.netdevs.end());
    auto status = add_port_counters(node_sysfs, port, sum);
    if (!status && !netns.empty()) {
      CIB_TRY(const UniqueFd sysfs, sysfs_of(netns));
      status = add_port_counters(root_of(sysfs), port, sum);
    }
    if (!status) return std::move(status).error();
  }
  for (const auto& [netns, netdevs] : ipoib) CIB_CHECK(add_network_counters(netns, netdevs, sum));
  if (of_node.empty()) return sum;
  CIB_TRY(const NetworkCounters network, network_counters(of_node));
  sum.node_ipoib_sent = network.ipoib_sent;
  sum.node_ipoib_received = network.ipoib_received;
  return sum;
}

Result<RdmaUsers> LiveNode::rdma_users(const std::vector<PlacedPort>& ports, const std::string& step) {
  return rdma_users_of(ports, step, state_dir_);
}

Result<bool> LiveNode::rdma_is_exclusive() { return cib::rdma_is_exclusive(); }

Result<VfsOfPf> LiveNode::vfs_of(const Port& pf) {
  if (!pf.pci) return VfsOfPf();
  CIB_TRY(const auto taken, claims());
  return cib::vfs_of(*pf.pci, taken);
}

Result<WholeDevice> LiveNode::whole_device(const Port& port, const std::string& step) {
  if (!port.pci) return error(Errc::unusable, "is on no PCI function");
  CIB_TRY(auto device, cib::whole_device(*port.pci));
  CIB_TRY(const auto stored, stored_steps(state_dir_));
  for (const JournaledStep& other : stored)
    if (other.name != step && may_use(other, port))
      return error(Errc::in_use, title_of(other.name) + " uses it");
  // On a kernel that cannot say, nobody.
  const auto users = rdma_users_of({{port, ""}}, step, state_dir_);
  if (users && !users->others.empty())
    return error(Errc::in_use, users->others.front().process + ' ' + users->others.front().did);
  return device;
}

Result<std::vector<std::uint16_t>> LiveNode::pkeys(const Port& port) {
  return read_pkeys(node_sysfs, port.device, port.number);
}

Result<std::map<std::string, std::string>> LiveNode::claims() { return Claims(state_dir_).all(); }

Result<unsigned> LiveNode::connections_to(const std::vector<TcpEndpoint>& endpoints) {
  return cib::connections_to(endpoints);
}

Result<std::vector<ContainerUse>> LiveNode::others_in_container(const std::string& container,
                                                                const std::string& step) {
  CIB_TRY(const auto stored, stored_steps(state_dir_));
  std::vector<ContainerUse> others;
  for (const JournaledStep& other : stored) {
    if (other.name == step || !may_be_in_a_container(other)) continue;
    if (!other.records)
      return Error(other.records.error()).in(title_of(other.name) + ", which may be in the same container");
    if (auto ports = ports_in_container(*other.records, container); !ports.empty())
      others.push_back({other.name, std::move(ports)});
  }
  return others;
}

Result<std::string> LiveNode::rdma_device(const PciAddress& pci, const NetnsFile& netns) {
  CIB_TRY(const UniqueFd sysfs, sysfs_of(netns));
  const auto names = rdma_devices_of(root_of(sysfs), pci);
  if (names.empty()) return error(Errc::not_found, pci.text() + " has no RDMA device");
  return names.front();
}

Result<std::vector<std::string>> LiveNode::netdevs_in(const NetnsFile& netns) {
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to_pinned(netns));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const auto all, links.list());
  std::vector<std::string> names;
  for (const Link& link : all) names.push_back(link.name);
  return names;
}

Result<std::string> LiveNode::netdev_with(const std::string& address) {
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const Link link, links.holding(address));
  return link.name;
}

// The first entries of the table are of the port's own interface (default GIDs, roce_gid_mgmt.c).
Result<std::string> LiveNode::netdev_of(const Port& port) {
  if (auto name = netdev_of_gid(node_sysfs, port.device, port.number, 0)) return *name;
  if (!port.netdevs.empty()) return port.netdevs.front();
  return error(Errc::not_found, port.name() + " has no network device on the node");
}

Result<Gid> LiveNode::await_gid(const Port& port, const NetnsFile& netns, const std::string& address,
                                int timeout_ms) {
  CIB_TRY(const UniqueFd sysfs, sysfs_of(netns));
  const auto ipv4 = parse_ipv4(address);
  if (!ipv4) return error(Errc::bug, "a GID of '" + address + "'");
  std::optional<Gid> found;
  (void)poll_until(Deadline(timeout_ms), gid_pause_ms, [&] {
    for (const Gid& gid : read_gids(root_of(sysfs), port.device, port.number))
      if (gid.text == gid_of_ipv4(*ipv4) && gid.type == GidType::roce_v2) found = gid;
    return found.has_value();
  });
  if (found) return *found;
  return error(Errc::timed_out, port.name() + " has no GID of " + address + " for RoCE v2");
}

Status LiveNode::await_carrier(const NetnsFile& netns, const std::string& netdev, int timeout_ms) {
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to_pinned(netns));
  CIB_TRY(auto links, Links::open());
  const auto runs = [&](const Link& link) { return link.name == netdev && link.carrier; };
  Status listed;
  const bool over = poll_until(Deadline(timeout_ms), carrier_pause_ms, [&] {
    const auto all = links.list();
    if (!all) listed = all.error();
    return !all || std::any_of(all->begin(), all->end(), runs);
  });
  return over ? listed : error(Errc::timed_out, netdev + " has no carrier");
}

}  // namespace cib
