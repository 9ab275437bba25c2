// Placement on nodes that no machine is like.
#include <bit>

#include "fuzz/fuzz_input.hpp"

namespace {

using namespace cib;

Port make_port(fuzz::Input& in) {
  Port port;
  port.device = in.below(8) == 0 ? in.text() : "mlx5_" + std::to_string(in.below(20));
  port.number = in.below(3);
  if (in.below(8) != 0)
    port.pci = PciAddress{in.below(3), in.byte(), 0, static_cast<std::uint8_t>(in.below(4))};
  if (in.below(8) == 0) port.physfn = PciAddress{in.below(3), in.byte(), 0, 0};
  port.driver = in.below(8) == 0 ? in.text() : "mlx5_core";
  for (unsigned n = in.below(4); n > 0; --n) port.numa.push_back(in.below(8) == 0 ? UINT32_MAX : in.below(6));
  for (unsigned n = in.below(4); n > 0; --n)
    port.pci_path.push_back(std::string(1, static_cast<char>('a' + in.below(3))));
  port.pci_gbps = in.below(8) == 0 ? std::bit_cast<double>(in.number()) : in.below(3) * 126;
  port.state = in.below(4) == 0 ? static_cast<PortState>(in.byte()) : PortState::active;
  port.phys_state = in.below(4) == 0 ? static_cast<PhysState>(in.byte()) : PhysState::link_up;
  port.link_layer = in.below(4) == 0 ? static_cast<LinkLayer>(in.below(4)) : LinkLayer::infiniband;
  port.rate_gbps = in.below(8) == 0 ? std::bit_cast<double>(in.number()) : 100 * in.below(4);
  port.lid = in.below(4) == 0 ? static_cast<std::uint32_t>(in.number()) : 16;
  port.sys_image_guid = in.below(3);
  if (in.below(2) == 0) port.subnet_prefix = in.below(3);
  return port;
}

Inventory make_node(fuzz::Input& in) {
  Inventory node;
  for (unsigned n = in.below(6); n > 0; --n) {
    NumaNode numa{in.below(8), in.below(3), {}};
    for (unsigned cpu = in.below(8); cpu > 0; --cpu) numa.cpus.add(in.below(64));
    node.numa_nodes.push_back(numa);
  }
  for (unsigned n = in.below(6); n > 0; --n) {
    node.distances.emplace_back();
    for (unsigned m = in.below(6); m > 0; --m)
      node.distances.back().push_back(in.below(4) == 0 ? static_cast<unsigned>(in.number())
                                                       : 10 + in.below(40));
  }
  for (unsigned n = in.below(20); n > 0; --n) node.ports.push_back(make_port(in));
  for (unsigned n = in.below(4); n > 0; --n)
    node.gpus.push_back(
        {{0, in.byte(), 0, 0}, {in.below(6)}, {std::string(1, static_cast<char>('a' + in.below(3)))}, ""});
  for (unsigned n = in.below(8); n > 0; --n) {
    node.cores.emplace_back();
    node.cores.back().add(in.below(64));
  }
  return node;
}

std::vector<LocalTask> make_tasks(fuzz::Input& in, const Inventory& node) {
  std::vector<LocalTask> tasks;
  for (unsigned n = in.below(24); n > 0; --n) {
    LocalTask task;
    task.id = in.below(30);
    for (unsigned cpu = in.below(6); cpu > 0; --cpu) task.mask.add(in.below(64));
    if (!node.gpus.empty() && in.below(3) == 0)
      task.gpus.push_back(node.gpus[in.below(static_cast<unsigned>(node.gpus.size()))].pci);
    if (in.below(6) == 0) task.allowed_nics.push_back("mlx5_" + std::to_string(in.below(20)));
    tasks.push_back(task);
  }
  return tasks;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  PlacementOptions options;
  options.place = static_cast<Place>(in.below(3));
  options.rails = in.below(9);
  options.roce = static_cast<Roce>(in.below(4));
  options.use_gpus = in.below(2) == 0;
  if (in.below(3) == 0) options.fabric = "all";
  if (in.below(4) == 0) options.drivers = {"mlx5_core"};
  options.min_rate_fraction = in.below(5) * 0.25;
  const Inventory node = make_node(in);
  const auto tasks = make_tasks(in, node);
  fuzz::check(node, tasks, options, place(node, tasks, options));
  return 0;
}
