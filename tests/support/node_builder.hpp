// Nodes for tests, in a few words.
#pragma once

#include <string>

#include "container_ib/placement.hpp"

namespace cib::test {

inline CpuSet cpus(unsigned first, unsigned last) {
  CpuSet set;
  for (unsigned pu = first; pu <= last; ++pu) set.add(pu);
  return set;
}

// NUMA nodes with so many one-PU cores each; SLIT 10, 12 within a package, `far` between packages.
inline Inventory numa_node(unsigned packages, unsigned nodes_per_package = 1, unsigned cores_of_each = 4,
                           unsigned far = 21) {
  Inventory node;
  const unsigned count = packages * nodes_per_package;
  for (unsigned n = 0; n < count; ++n) {
    const unsigned first = n * cores_of_each, last = first + cores_of_each - 1;
    node.numa_nodes.push_back({n, n / nodes_per_package, cpus(first, last)});
    for (unsigned pu = first; pu <= last; ++pu) node.cores.push_back(cpus(pu, pu));
    node.distances.emplace_back();
    for (unsigned to = 0; to < count; ++to)
      node.distances.back().push_back(to == n                                           ? 10
                                      : to / nodes_per_package == n / nodes_per_package ? 12
                                                                                        : far);
  }
  return node;
}

inline Port port(const std::string& device, const char* pci, std::vector<unsigned> numa) {
  Port port;
  port.device = device;
  port.pci = PciAddress::parse(pci).value();
  port.driver = "mlx5_core";
  port.numa = std::move(numa);
  port.state = PortState::active;
  port.phys_state = PhysState::link_up;
  port.link_layer = LinkLayer::infiniband;
  port.rate_gbps = 200;
  port.lid = 0x10 + ((64U * port.pci->domain + 8U * port.pci->bus + port.pci->function) & 0x7fffU);  // unique
  port.subnet_prefix = 0xfe80000000000000;
  return port;
}

// Two sockets with two HCAs each.
inline Inventory two_sockets_of_two() {
  Inventory node = numa_node(2);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0}),
                port("mlx5_2", "0000:86:00.0", {1}), port("mlx5_3", "0000:87:00.0", {1})};
  return node;
}

inline LocalTask task(unsigned id, CpuSet mask) {
  LocalTask task;
  task.id = id;
  task.mask = std::move(mask);
  return task;
}

// One task per given PU, ids ascending.
inline std::vector<LocalTask> tasks_on(const std::vector<unsigned>& pus) {
  std::vector<LocalTask> tasks;
  for (const unsigned pu : pus) tasks.push_back(task(static_cast<unsigned>(tasks.size()), cpus(pu, pu)));
  return tasks;
}

inline PlacementOptions one_rail() {
  PlacementOptions options;
  options.rails = 1;
  options.drivers = {"mlx5_core", "mlx4_core"};
  return options;
}

// "mlx5_0:1 mlx5_1:1,mlx5_2:1 -": the ports of each task.
inline std::string ports_text(const Inventory& node, const Assignment& assignment) {
  std::string text;
  for (const auto& placed : assignment.tasks) {
    if (!text.empty()) text += ' ';
    std::string ports;
    for (const std::size_t index : placed.ports)
      ports += (ports.empty() ? "" : ",") + node.ports[index].name();
    text += ports.empty() ? "-" : ports;
  }
  return text;
}

inline std::string why_not(const Inventory& node, const Assignment& assignment,
                           const std::string& port_name) {
  for (const auto& verdict : assignment.verdicts)
    if (node.ports[verdict.port].name() == port_name) return verdict.eligible ? "eligible" : verdict.why_not;
  return "no such port";
}

}  // namespace cib::test
