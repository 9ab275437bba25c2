#include "container_ib/nearness.hpp"

#include "distance.hpp"

namespace cib {

namespace {

std::vector<Port> chosen_ports(const Inventory& node, const std::vector<std::size_t>& indexes) {
  std::vector<Port> ports;
  for (const std::size_t index : indexes) ports.push_back(node.ports[index]);
  return ports;
}

}  // namespace

std::string_view nearness_code(Nearness nearness) {
  switch (nearness) {
    case Nearness::one_bridge:
      return "PIX";
    case Nearness::bridges:
      return "PXB";
    case Nearness::host_bridge:
      return "PHB";
    case Nearness::numa_node:
      return "NODE";
    case Nearness::package:
      return "PKG";
    case Nearness::other_package:
      return "SYS";
    case Nearness::unknown:
      break;
  }
  return "?";
}

std::string_view nearness_text(Nearness nearness) {
  switch (nearness) {
    case Nearness::one_bridge:
      return "one PCI bridge";
    case Nearness::bridges:
      return "several PCI bridges";
    case Nearness::host_bridge:
      return "same host bridge";
    case Nearness::numa_node:
      return "same NUMA node";
    case Nearness::package:
      return "same package";
    case Nearness::other_package:
      return "other package";
    case Nearness::unknown:
      break;
  }
  return "unknown locality";
}

NearnessMatrix nearness_of_tasks(const Inventory& node, const std::vector<LocalTask>& tasks,
                                 const std::vector<std::size_t>& indexes) {
  const auto ports = chosen_ports(node, indexes);
  const Distances distances(node, ports);
  NearnessMatrix matrix;
  for (const auto& task : tasks) {
    const auto location = distances.locate(task.mask, task.bound);
    matrix.emplace_back();
    for (std::size_t port = 0; port < ports.size(); ++port)
      matrix.back().push_back(distances.locality(location.weights, port));
  }
  return matrix;
}

NearnessMatrix nearness_of_gpus(const Inventory& node, const std::vector<std::size_t>& indexes) {
  const auto ports = chosen_ports(node, indexes);
  const Distances distances(node, ports);
  NearnessMatrix matrix;
  for (const auto& gpu : node.gpus) {
    matrix.emplace_back();
    for (std::size_t port = 0; port < ports.size(); ++port)
      matrix.back().push_back(distances.nearness_to_gpu(gpu, port));
  }
  return matrix;
}

}  // namespace cib
