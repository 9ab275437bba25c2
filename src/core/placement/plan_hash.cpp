#include "plan_hash.hpp"

#include <algorithm>

#include "container_ib/hash.hpp"

namespace cib {

namespace {

std::vector<std::uint64_t> widened(const std::vector<unsigned>& values) {
  return {values.begin(), values.end()};
}

void add_port(Hash& hash, const Port& port) {
  hash.add(port.name());
  hash.add(port.pci ? port.pci->text() : "");
  hash.add(port.physfn ? port.physfn->text() : "");
  hash.add(port.driver);
  hash.add(widened(port.numa));
  hash.add(port.pci_path);
  hash.add(port.pci_gbps);
  hash.add(static_cast<std::uint64_t>(port.state));
  hash.add(static_cast<std::uint64_t>(port.phys_state));
  hash.add(static_cast<std::uint64_t>(port.link_layer));
  hash.add(port.rate_gbps);
  hash.add(std::uint64_t{port.lid});
  hash.add(port.sys_image_guid);
  hash.add(port.subnet_prefix.value_or(0));
  hash.add(std::uint64_t{port.sm_lid});
  hash.add(port.node_guid);
  hash.add(port.model);
  hash.add(std::uint64_t{port.without_gid});
  for (const std::uint16_t pkey : port.pkeys) hash.add(std::uint64_t{pkey});
}

// NUMA nodes in ascending OS number, with the distances in that order.
void add_numa(Hash& hash, const Inventory& node) {
  std::vector<std::size_t> order(node.numa_nodes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return node.numa_nodes[a].os_index < node.numa_nodes[b].os_index;
  });
  for (const std::size_t i : order) {
    hash.add(std::uint64_t{node.numa_nodes[i].os_index});
    hash.add(std::uint64_t{node.numa_nodes[i].package});
    hash.add(node.numa_nodes[i].cpus.words());
    for (const std::size_t j : order)
      if (i < node.distances.size() && j < node.distances[i].size())
        hash.add(std::uint64_t{node.distances[i][j]});
  }
}

}  // namespace

std::string plan_hash(const Inventory& node, const std::vector<Port>& ports,
                      const std::vector<LocalTask>& tasks, const PlacementOptions& options,
                      const std::vector<TaskPlacement>& placed,
                      const std::vector<std::string>& placed_ports) {
  Hash hash;
  add_numa(hash, node);
  for (const auto& port : ports) add_port(hash, port);
  auto gpus = node.gpus;
  std::sort(gpus.begin(), gpus.end(), [](const Gpu& a, const Gpu& b) { return a.pci < b.pci; });
  for (const auto& gpu : gpus) {
    hash.add(gpu.pci);
    hash.add(widened(gpu.numa));
    hash.add(gpu.pci_path);
  }
  for (const auto& task : tasks) {
    hash.add(std::uint64_t{task.id});
    hash.add(task.mask.words());
    if (!task.bound) hash.add("inherited");
    auto task_gpus = task.gpus;
    std::sort(task_gpus.begin(), task_gpus.end());
    hash.add(task_gpus);
    auto nics = task.allowed_nics;
    std::sort(nics.begin(), nics.end());
    hash.add(nics);
  }
  hash.add(static_cast<std::uint64_t>(options.place));
  hash.add(std::uint64_t{options.rails});
  hash.add(std::uint64_t{options.use_gpus});
  hash.add(static_cast<std::uint64_t>(options.roce));
  hash.add(options.fabric);
  hash.add(options.site_fabric ? options.site_fabric->name : "");
  hash.add(options.hca);
  hash.add(options.site_hca);
  hash.add(std::uint64_t{options.pkey.value_or(0)});
  for (const auto& [pci, owner] : options.claimed) hash.add(pci.text());
  hash.add(options.drivers);
  if (options.shown) hash.add(*options.shown);
  hash.add(options.min_rate_fraction);
  hash.add(placed_ports);
  for (const auto& task : placed) {
    hash.add(std::uint64_t{task.distance});
    hash.add(task.locality);
  }
  return hash.text();
}

}  // namespace cib
