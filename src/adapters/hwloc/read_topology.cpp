#include "read_topology.hpp"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "container_ib/text.hpp"
#include "gpus.hpp"
#include "hwloc_compat.hpp"
#include "pci_devices.hpp"
#include "pci_driver.hpp"
#include "topology.hpp"

namespace cib {

namespace {

constexpr unsigned max_pu = 65535;
constexpr unsigned max_ports_of_device = 255;  // IBTA: a port number is one byte

CpuSet cpus_of(hwloc_const_bitmap_t set) {
  CpuSet cpus;
  if (set == nullptr) return cpus;
  for (int pu = hwloc_bitmap_first(set); pu >= 0 && pu <= static_cast<int>(max_pu);
       pu = hwloc_bitmap_next(set, pu))
    cpus.add(static_cast<unsigned>(pu));
  return cpus;
}

std::vector<hwloc_obj_t> objects(hwloc_topology_t topology, hwloc_obj_type_t type) {
  std::vector<hwloc_obj_t> list;
  for (hwloc_obj_t object = nullptr;
       (object = hwloc_get_next_obj_by_type(topology, type, object)) != nullptr;)
    list.push_back(object);
  return list;
}

// ---- NUMA nodes
// --------------------------------------------------------------------------------------------

// hwloc gives HBM and other memory without CPUs the cpuset of what it is near to. Each PU belongs to the
// narrowest of its NUMA nodes, and to the one with the lowest number among equals: firmware numbers the nodes
// with CPUs first.
void keep_memory_only_nodes_empty(std::vector<NumaNode>& nodes) {
  std::vector<std::size_t> order(nodes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(nodes[a].cpus.count(), nodes[a].os_index) <
           std::tuple(nodes[b].cpus.count(), nodes[b].os_index);
  });
  CpuSet taken;
  for (const std::size_t i : order) {
    CpuSet own;
    for (const unsigned pu : nodes[i].cpus.list()) {
      if (taken.has(pu)) continue;
      own.add(pu);
      taken.add(pu);
    }
    nodes[i].cpus = own;
  }
}

std::vector<NumaNode> read_numa_nodes(hwloc_topology_t topology) {
  std::vector<NumaNode> nodes;
  for (hwloc_obj_t object : objects(topology, HWLOC_OBJ_NUMANODE)) {
    NumaNode node;
    node.os_index = object->os_index;
    hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_PACKAGE, object);
    node.package = package != nullptr ? package->logical_index : UINT_MAX;
    node.cpus = cpus_of(object->cpuset);
    nodes.push_back(node);
  }
  keep_memory_only_nodes_empty(nodes);
  return nodes;
}

// In the order of `nodes`, scaled so that the nearest is SLIT's 10: hwloc 1 wrote multiples of the local
// latency.
std::vector<std::vector<unsigned>> read_distances(hwloc_topology_t topology,
                                                  const std::vector<NumaNode>& nodes) {
  hwloc_distances_s* matrix = nullptr;
  unsigned count = 1;
  constexpr unsigned long kind = HWLOC_DISTANCES_KIND_MEANS_LATENCY | HWLOC_DISTANCES_KIND_FROM_OS;
  if (hwloc_distances_get_by_type(topology, HWLOC_OBJ_NUMANODE, &count, &matrix, kind, 0) != 0 ||
      count == 0 || matrix == nullptr)
    return {};
  std::vector<std::vector<unsigned>> table;
  const unsigned n = matrix->nbobjs;
  hwloc_uint64_t least = 0;
  for (unsigned i = 0; i < n; ++i)
    if (matrix->values[i * n + i] != 0)
      least = least == 0 ? matrix->values[i * n + i] : std::min(least, matrix->values[i * n + i]);
  const auto index_of = [&](unsigned os_index) {
    for (unsigned i = 0; i < n; ++i)
      if (matrix->objs[i] != nullptr && matrix->objs[i]->os_index == os_index) return i;
    return n;
  };
  for (const auto& from : nodes) {
    table.emplace_back();
    for (const auto& to : nodes) {
      const unsigned i = index_of(from.os_index), j = index_of(to.os_index);
      const hwloc_uint64_t value = i < n && j < n ? matrix->values[i * n + j] : 0;
      table.back().push_back(
          least == 0 ? 0 : static_cast<unsigned>(std::min<hwloc_uint64_t>(value * 10 / least, UINT_MAX)));
    }
  }
  hwloc_distances_release(topology, matrix);
  return table;
}

std::vector<CpuSet> read_cores(hwloc_topology_t topology) {
  std::vector<CpuSet> cores;
  for (const auto type : {HWLOC_OBJ_CORE, HWLOC_OBJ_PU}) {
    for (hwloc_obj_t object : objects(topology, type)) {
      CpuSet core = cpus_of(object->cpuset);
      if (!core.empty()) cores.push_back(std::move(core));
    }
    if (!cores.empty()) break;  // a machine without cores in its description has PUs
  }
  return cores;
}

// ---- RDMA devices
// ----------------------------------------------------------------------------------------------------------

std::string_view info(hwloc_obj_t object, const std::string& name) {
  const char* value = hwloc_obj_get_info_by_name(object, name.c_str());
  return value != nullptr ? std::string_view(value) : std::string_view();
}

// "506b:4b03:003c:eee8"
std::uint64_t guid(std::string_view text) { return parse_guid(text).value_or(0); }

void read_port_infos(hwloc_obj_t device, Port& port) {
  const std::string prefix = "Port" + std::to_string(port.number);
  if (const auto state = whole_number<unsigned>(info(device, prefix + "State")); state && *state <= 5)
    port.state = static_cast<PortState>(*state);
  const std::string_view lid = info(device, prefix + "LID");
  port.lid = prefixed_hex<std::uint32_t>(lid).value_or(0);
  const auto gid = info(device, prefix + "GID0");
  if (gid.size() == 39) {
    port.subnet_prefix = parse_guid(gid.substr(0, 19));
    port.port_guid = guid(gid.substr(20));
  }
  // hwloc does not give the link layer. An InfiniBand port cannot become ACTIVE before its subnet manager has
  // given it a LID (IBTA 14.4), so one that is and has none is Ethernet, or EFA, which is neither.
  if (port.lid != 0 && port.lid != 0xffff)
    port.link_layer = LinkLayer::infiniband;
  else if (lid.starts_with("0x") && port.lid == 0 && port.state == PortState::active && port.driver != "efa")
    port.link_layer = LinkLayer::ethernet;
}

void read_rdma_device(hwloc_obj_t device, const PciDevices& devices, std::vector<Port>& ports) {
  Port port;
  port.device = device->name != nullptr ? device->name : "";
  port.numa = devices.numa_of(device);
  port.pci_path = PciDevices::path_of(device);
  port.node_guid = guid(info(device, "NodeGUID"));
  port.sys_image_guid = guid(info(device, "SysImageGUID"));
  std::uint16_t vendor = 0, number = 0;
  for (hwloc_obj_t object = device->parent; object != nullptr; object = object->parent) {
    if (object->type != HWLOC_OBJ_PCI_DEVICE) continue;
    const auto& pci = object->attr->pcidev;
    port.pci = PciDevices::address_of(pci);
    port.pci_gbps = 8.0 * static_cast<double>(pci.linkspeed);
    vendor = pci.vendor_id;
    number = pci.device_id;
    break;
  }
  port.driver = guess_driver(vendor, number, port.device);
  if (vendor != 0) port.model = hex(vendor, 4) + ':' + hex(number, 4);

  const auto described = [&](unsigned n) {
    return !info(device, "Port" + std::to_string(n) + "State").empty();
  };
  // Without any description it still is a device; its one port is then of unknown state.
  for (port.number = 1; port.number == 1 || (port.number <= max_ports_of_device && described(port.number));
       ++port.number) {
    Port one = port;
    read_port_infos(device, one);
    ports.push_back(std::move(one));
  }
}

}  // namespace

Result<Inventory> read_topology(const InventorySource& source) {
  CIB_TRY(const Topology owner, load_topology(source));
  hwloc_topology_t topology = owner.get();

  Inventory inventory;
  inventory.numa_nodes = read_numa_nodes(topology);
  inventory.distances = read_distances(topology, inventory.numa_nodes);
  inventory.cores = read_cores(topology);
  const PciDevices devices(topology, inventory.numa_nodes);
  for (hwloc_obj_t device = nullptr; (device = hwloc_get_next_osdev(topology, device)) != nullptr;)
    if (is_openfabrics(device)) read_rdma_device(device, devices, inventory.ports);
  inventory.gpus = read_gpus(topology, devices);
  return inventory;
}

}  // namespace cib
