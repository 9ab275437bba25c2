#include "distance.hpp"

#include <algorithm>
#include <climits>
#include <numeric>

namespace cib {

namespace {

// ACPI 5.2.17: 10 is local, 255 unreachable. The others are what firmware usually says, for machines that
// have no SLIT.
constexpr unsigned slit_local = 10, slit_same_package = 12, slit_other_package = 21, slit_max = 255;

constexpr unsigned gpu_factor = 4;  // how much more a GPU's distance counts than the CPUs'

// Only the order and the rough ratio matter.
std::optional<unsigned> gpu_distance(Nearness nearness) {
  switch (nearness) {
    case Nearness::one_bridge:
      return 0;
    case Nearness::bridges:
      return 200;
    case Nearness::host_bridge:
      return 500;
    case Nearness::numa_node:
      return 700;
    case Nearness::package:
      return 1200;
    case Nearness::other_package:
      return 2200;
    case Nearness::unknown:
      break;
  }
  return std::nullopt;
}

std::size_t common_bridges(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const auto [end_a, end_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end_a - a.begin());
}

// In place of the values that `known` says are not.
void make_unknown_neutral(std::vector<unsigned>& values, const std::vector<char>& known) {
  if (std::find(known.begin(), known.end(), 0) == known.end()) return;
  std::vector<unsigned> sorted;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (known[i] != 0) sorted.push_back(values[i]);
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  unsigned median = local_distance;
  if (!sorted.empty()) median = sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (known[i] == 0) values[i] = median;
}

}  // namespace

Distances::Distances(const Inventory& node, const std::vector<Port>& ports) : node_(node), ports_(ports) {
  for (std::size_t i = 0; i < node.numa_nodes.size(); ++i)
    by_os_index_.emplace(node.numa_nodes[i].os_index, i);
  for (const auto& port : ports) {
    const Indexes nodes = nodes_of(port.numa);
    const auto known = std::find(places_.begin(), places_.end(), nodes);
    port_place_.push_back(static_cast<std::size_t>(known - places_.begin()));
    if (known == places_.end()) places_.push_back(nodes);
  }
}

TaskLocation Distances::locate(const CpuSet& mask, bool bound) const {
  TaskLocation location;
  location.unbound = !bound;
  location.everywhere = true;
  unsigned divisor = 0;
  for (std::size_t i = 0; i < node_.numa_nodes.size(); ++i) {
    const CpuSet& cpus = node_.numa_nodes[i].cpus;
    const unsigned common = mask.count_common(cpus);
    location.everywhere = location.everywhere && common == cpus.count();
    divisor = std::gcd(divisor, common);
    if (common != 0) location.weights.emplace_back(i, common);
    location.unbound = location.unbound && (common != 0 || cpus.empty());
  }
  location.unbound = location.unbound || mask.empty();
  location.everywhere = location.everywhere && location.weights.size() > 1;
  for (auto& [index, count] : location.weights) count /= std::max(divisor, 1U);
  return location;
}

unsigned Distances::slit(std::size_t from, std::size_t to) const {
  const auto& table = node_.distances;
  if (from < table.size() && to < table[from].size()) {
    const unsigned value = table[from][to];
    if (value >= slit_local && value <= slit_max) return value;
  }
  if (from == to) return slit_local;
  const unsigned package = node_.numa_nodes[from].package;
  return package != UINT_MAX && package == node_.numa_nodes[to].package ? slit_same_package
                                                                        : slit_other_package;
}

Distances::Indexes Distances::nodes_of(const std::vector<unsigned>& os_indexes) const {
  Indexes indexes;
  for (const unsigned os_index : os_indexes)
    if (const auto found = by_os_index_.find(os_index); found != by_os_index_.end())
      indexes.push_back(found->second);
  return indexes;
}

unsigned Distances::mean_slit(const NumaWeights& weights, const Indexes& nodes) const {
  if (nodes.empty() || weights.empty()) return 0;
  std::uint64_t sum = 0, count = 0;
  for (const auto& [from, weight] : weights) {
    unsigned nearest = slit_max;
    for (const std::size_t to : nodes) nearest = std::min(nearest, slit(from, to));
    sum += std::uint64_t{weight} * nearest;
    count += weight;
  }
  return count == 0 ? 0 : static_cast<unsigned>((100 * sum + count / 2) / count);
}

Nearness Distances::nearness_to_gpu(const Gpu& gpu, std::size_t port) const {
  const auto& path = ports_[port].pci_path;
  const std::size_t common = common_bridges(gpu.pci_path, path);
  if (common > 1) {
    const std::size_t below = std::max(gpu.pci_path.size(), path.size()) - common;
    return below <= 1 ? Nearness::one_bridge : Nearness::bridges;
  }
  if (common == 1) return Nearness::host_bridge;
  const Indexes gpu_nodes = nodes_of(gpu.numa);
  const Indexes& port_nodes = places_[port_place_[port]];
  if (gpu_nodes.empty() || port_nodes.empty()) return Nearness::unknown;
  Nearness nearest = Nearness::other_package;
  for (const std::size_t a : gpu_nodes)
    for (const std::size_t b : port_nodes) {
      if (a == b) return Nearness::numa_node;
      const unsigned package = node_.numa_nodes[a].package;
      if (package != UINT_MAX && package == node_.numa_nodes[b].package) nearest = Nearness::package;
    }
  return nearest;
}

std::optional<unsigned> Distances::to_gpus(const std::vector<PciAddress>& gpus, std::size_t port) const {
  std::optional<unsigned> nearest;
  for (const auto& gpu : node_.gpus) {
    if (std::find(gpus.begin(), gpus.end(), gpu.pci) == gpus.end()) continue;
    const auto distance = gpu_distance(nearness_to_gpu(gpu, port));
    if (distance && (!nearest || *distance < *nearest)) nearest = distance;
  }
  return nearest;
}

std::vector<PortDistance> Distances::to_ports(const TaskLocation& location,
                                              const std::vector<PciAddress>& gpus) const {
  std::vector<unsigned> by_place, cpu(ports_.size()), gpu(ports_.size());
  std::vector<char> cpu_known(ports_.size(), 1), gpu_known(ports_.size(), 1);
  for (const auto& place : places_) by_place.push_back(mean_slit(location.weights, place));
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    cpu[i] = by_place[port_place_[i]];
    cpu_known[i] = cpu[i] != 0 ? 1 : 0;
    if (gpus.empty()) continue;
    const auto distance = to_gpus(gpus, i);
    gpu[i] = distance.value_or(0);
    gpu_known[i] = distance ? 1 : 0;
  }
  make_unknown_neutral(cpu, cpu_known);
  make_unknown_neutral(gpu, gpu_known);
  std::vector<PortDistance> distances;
  for (std::size_t i = 0; i < ports_.size(); ++i)
    distances.push_back({cpu[i], gpu_factor * gpu[i] + (location.everywhere ? local_distance : cpu[i])});
  return distances;
}

Nearness Distances::locality(const NumaWeights& weights, std::size_t port) const {
  const Indexes& nodes = places_[port_place_[port]];
  if (nodes.empty() || weights.empty()) return Nearness::unknown;
  bool same_node = true, same_package = true;
  for (const auto& [from, weight] : weights) {
    const unsigned package = node_.numa_nodes[from].package;
    same_node = same_node && std::find(nodes.begin(), nodes.end(), from) != nodes.end();
    same_package = same_package && package != UINT_MAX &&
                   std::any_of(nodes.begin(), nodes.end(),
                               [&](std::size_t to) { return node_.numa_nodes[to].package == package; });
  }
  if (same_node) return Nearness::numa_node;
  return same_package ? Nearness::package : Nearness::other_package;
}

}  // namespace cib
