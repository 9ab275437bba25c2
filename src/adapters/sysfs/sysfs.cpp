#include "sysfs.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "attributes.hpp"
#include "container_ib/text.hpp"
#include "small_files.hpp"

namespace cib {

namespace {

constexpr std::size_t max_devices = 1024;
constexpr unsigned max_port_number = 255;  // IBTA: a port number is one byte
constexpr unsigned max_pkeys = 128;
constexpr unsigned max_gids = 256;

std::string text(const Directory& directory, const std::string& path) {
  return directory.line(path).value_or("");
}

std::optional<PciAddress> pci_address(const std::optional<std::string>& name) {
  if (!name) return std::nullopt;
  auto parsed = PciAddress::parse(*name);
  return parsed ? std::optional(*parsed) : std::nullopt;
}

// Devices of virtio, VMBus and the like hang below a PCI function without being one.
std::optional<PciAddress> last_pci_address(const std::string& path) {
  std::optional<PciAddress> last;
  for (const auto part : split(path, '/'))
    if (const auto parsed = PciAddress::parse(part)) last = *parsed;
  return last;
}

// "15b3:1021" for "0x15b3" and "0x1021".
std::string pci_model(std::string_view vendor, std::string_view device) {
  const auto first = prefixed_hex<std::uint16_t>(vendor), second = prefixed_hex<std::uint16_t>(device);
  return first && second ? hex(*first, 4) + ':' + hex(*second, 4) : std::string();
}

// Where a PCI function carries several devices, nothing here says whose node is whose.
std::optional<unsigned> uverbs_number(const Directory& device) {
  constexpr std::string_view prefix = "uverbs";
  const auto nodes = device.sub("device/infiniband_verbs");
  const auto names = nodes ? nodes->names() : std::vector<std::string>();
  if (names.size() != 1 || !names[0].starts_with(prefix)) return std::nullopt;
  return whole_number<unsigned>(std::string_view(names[0]).substr(prefix.size()));
}

// What all ports of a device share.
Port read_device(const Directory& infiniband, const Directory& device, const std::string& name) {
  Port port;
  port.device = name;
  port.pci = pci_address(device.link_name("device"));
  if (!port.pci) port.pci = last_pci_address(infiniband.link(name).value_or(""));
  port.physfn = pci_address(device.link_name("device/physfn"));
  port.driver = device.link_name("device/driver").value_or("");
  port.uverbs = uverbs_number(device);
  port.model = pci_model(text(device, "device/vendor"), text(device, "device/device"));
  port.node_guid = parse_guid(text(device, "node_guid")).value_or(0);
  port.sys_image_guid = parse_guid(text(device, "sys_image_guid")).value_or(0);
  port.pci_gbps =
      parse_pci_speed(text(device, "device/current_link_speed"), text(device, "device/current_link_width"));
  if (const auto node = parse_numa_node(text(device, "device/numa_node"))) port.numa = {*node};
  return port;
}

std::vector<std::uint16_t> read_pkeys(const Directory& port) {
  std::vector<std::uint16_t> pkeys;
  for (unsigned index = 0; index < max_pkeys; ++index) {
    const auto entry = port.line("pkeys/" + std::to_string(index));
    if (!entry) break;
    const std::uint16_t pkey = prefixed_hex<std::uint16_t>(*entry).value_or(0);
    pkeys.push_back((pkey & 0x7fff) != 0 ? pkey : std::uint16_t{0});
  }
  while (!pkeys.empty() && pkeys.back() == 0) pkeys.pop_back();
  return pkeys;
}

// Subnet prefix and GUID of a GID that is set; nothing for anything else.
std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_gid(std::string_view text) {
  if (text.size() != 39 || text[19] != ':') return std::nullopt;
  const auto prefix = parse_guid(text.substr(0, 19)), guid = parse_guid(text.substr(20));
  if (!prefix || !guid || (*prefix == 0 && *guid == 0)) return std::nullopt;
  return std::pair(*prefix, *guid);
}

std::vector<Gid> read_gids(const Directory& port) {
  std::vector<Gid> gids;
  for (unsigned index = 0; index < max_gids; ++index) {
    const auto entry = port.line("gids/" + std::to_string(index));
    if (!entry) break;
    if (parse_gid(*entry))
      gids.push_back({index, *entry, parse_gid_type(text(port, "gid_attrs/types/" + std::to_string(index)))});
  }
  return gids;
}

bool has_gids(const Directory& port) { return port.line("gids/0").has_value(); }

// Overwrites what sysfs says something about, be it nonsense: of a live fact nothing older counts.
void read_port(const Directory& directory, Port& port) {
  if (const auto line = directory.line("state")) port.state = parse_state(*line);
  if (const auto line = directory.line("phys_state")) port.phys_state = parse_phys_state(*line);
  if (const auto line = directory.line("link_layer")) port.link_layer = parse_link_layer(*line);
  if (const auto line = directory.line("rate")) port.rate_gbps = parse_rate(*line);
  if (const auto line = directory.line("lid")) port.lid = parse_lid(*line);
  if (const auto line = directory.line("sm_lid")) port.sm_lid = parse_lid(*line);
  if (const auto line = directory.line("gids/0")) {
    const auto gid = parse_gid(*line);
    if (gid) port.subnet_prefix = gid->first;
    if (gid) port.port_guid = gid->second;
    port.without_gid = !gid || gid->second == 0;
  }
}

// Network devices of the same PCI function and port; dev_port counts from 0.
std::vector<std::string> read_netdevs(const Directory& device, unsigned port_number) {
  std::vector<std::string> netdevs;
  const auto net = device.sub("device/net");
  if (!net) return netdevs;
  for (const auto& name : net->names()) {
    const auto dev_port = whole_number<unsigned>(text(*net, name + "/dev_port"));
    if (!dev_port || *dev_port + 1 == port_number) netdevs.push_back(name);
  }
  return netdevs;
}

// The device as sysfs shows it over what hwloc knows of it.
void merge_device(const Port& device, Port& port) {
  port.device = device.device;
  if (device.pci) port.pci = device.pci;
  if (device.physfn) port.physfn = device.physfn;
  if (!device.driver.empty()) port.driver = device.driver;
  if (!device.model.empty()) port.model = device.model;
  port.uverbs = device.uverbs;
  if (port.numa.empty()) port.numa = device.numa;  // hwloc knows more than one node
  if (device.pci_gbps != 0) port.pci_gbps = device.pci_gbps;
  if (device.node_guid != 0) port.node_guid = device.node_guid;
  if (device.sys_image_guid != 0) port.sys_image_guid = device.sys_image_guid;
}

// What hwloc knows of this port, or at least of where its device is.
Port known_port(const Inventory& inventory, const std::string& device, unsigned number) {
  Port known;
  for (const auto& port : inventory.ports) {
    if (port.device != device) continue;
    if (port.number == number) return port;
    known.pci = port.pci;
    known.pci_path = port.pci_path;
    known.pci_gbps = port.pci_gbps;
    known.numa = port.numa;
    known.driver = port.driver;
    known.model = port.model;
    known.node_guid = port.node_guid;
    known.sys_image_guid = port.sys_image_guid;
  }
  return known;
}

std::vector<Port> read_ports(const Directory& infiniband, const std::string& name,
                             const SysfsOptions& options, const Inventory& inventory) {
  std::vector<Port> ports;
  const auto device = infiniband.sub(name);
  if (!device) return ports;
  const Port shared = read_device(infiniband, *device, name);
  const auto directory = device->sub("ports");
  if (!directory) return ports;
  for (const auto& entry : directory->names()) {
    const auto number = whole_number<unsigned>(entry);
    const auto port_directory = directory->sub(entry);
    if (!number || *number == 0 || *number > max_port_number || !port_directory) continue;
    Port port = known_port(inventory, name, *number);
    port.number = *number;
    merge_device(shared, port);
    read_port(*port_directory, port);
    if (options.tables) port.pkeys = read_pkeys(*port_directory);
    if (options.tables || port.link_layer == LinkLayer::ethernet) port.gids = read_gids(*port_directory);
    if (port.link_layer == LinkLayer::ethernet)
      port.without_gid = has_gids(*port_directory) && port.gids.empty();
    port.netdevs = read_netdevs(*device, *number);
    ports.push_back(std::move(port));
  }
  return ports;
}

std::string folder_of(const std::string& root, const std::string& device, unsigned port) {
  return root + "/class/infiniband/" + device + "/ports/" + std::to_string(port);
}

}  // namespace

Status merge_sysfs(const std::string& root, const SysfsOptions& options, Inventory& inventory) {
  auto infiniband = Directory::open(root + "/class/infiniband");
  if (!infiniband) infiniband = Directory::open(root + "/sys/class/infiniband");
  if (!infiniband) {
    if (!options.complete) return error(Errc::not_found, "no class/infiniband below " + root);
    inventory.ports.clear();
    return {};
  }

  auto names = infiniband->names();
  if (names.size() > max_devices) names.resize(max_devices);
  std::vector<Port> merged;
  std::set<std::string> in_sysfs;
  for (const auto& name : names) {
    auto ports = read_ports(*infiniband, name, options, inventory);
    if (ports.empty() && !options.complete) continue;
    in_sysfs.insert(name);
    std::move(ports.begin(), ports.end(), std::back_inserter(merged));
  }
  for (auto& port : inventory.ports)
    if (!options.complete && !in_sysfs.contains(port.device)) merged.push_back(std::move(port));
  inventory.ports = std::move(merged);
  return {};
}

Result<std::vector<std::uint16_t>> read_pkeys(const std::string& root, const std::string& device,
                                              unsigned port) {
  const std::string path = folder_of(root, device, port);
  const auto directory = Directory::open(path);
  if (!directory) return error(Errc::not_found, path + " does not exist");
  return read_pkeys(*directory);
}

std::vector<Gid> read_gids(const std::string& root, const std::string& device, unsigned port) {
  const auto directory = Directory::open(folder_of(root, device, port));
  return directory ? read_gids(*directory) : std::vector<Gid>();
}

std::optional<std::string> netdev_of_gid(const std::string& root, const std::string& device, unsigned port,
                                         unsigned index) {
  const auto directory = Directory::open(folder_of(root, device, port));
  return directory ? directory->line("gid_attrs/ndevs/" + std::to_string(index)) : std::nullopt;
}

}  // namespace cib
