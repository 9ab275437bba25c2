#include "distance.hpp"

#include <algorithm>
#include <climits>
#include <numeric>

namespace cib {

namespace {

// ACPI 5.2.17: 10 is local, 255 unreachable. The others are what firmware usually says, for machines that
// have no SLIT.
constexpr unsigned slit_local = 10, slit_same_package = 12, slit_other_package = 21, slit_max = 255;

// Distance of a GPU and a port, in the terms of nvidia-smi topo. Only the order and the rough ratio matter.
constexpr int gpu_one_bridge = 0;     // PIX
constexpr int gpu_bridges = 200;      // PXB
constexpr int gpu_host_bridge = 500;  // PHB
constexpr int gpu_numa_node = 700;    // NODE
constexpr int gpu_package = 1200;     // another NUMA node of the package
constexpr int gpu_system = 2200;      // SYS
constexpr int gpu_unknown = -1;

std::size_t common_bridges(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const auto [end_a, end_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end_a - a.begin());
}

}  // namespace

Distances::Distances(const Inventory& node) : node_(node) {
  for (std::size_t i = 0; i < node.numa_nodes.size(); ++i)
    by_os_index_.emplace(node.numa_nodes[i].os_index, i);
}

TaskLocation Distances::locate(const CpuSet& mask) const {
  TaskLocation location;
  location.everywhere = true;
  unsigned divisor = 0;
  for (std::size_t i = 0; i < node_.numa_nodes.size(); ++i) {
    const CpuSet& cpus = node_.numa_nodes[i].cpus;
    const unsigned common = mask.count_common(cpus);
    location.everywhere = location.everywhere && common == cpus.count();
    divisor = std::gcd(divisor, common);
    if (common != 0) location.weights[i] = common;
  }
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

std::vector<std::size_t> Distances::nodes_of(const std::vector<unsigned>& os_indexes) const {
  std::vector<std::size_t> indexes;
  for (const unsigned os_index : os_indexes)
    if (const auto found = by_os_index_.find(os_index); found != by_os_index_.end())
      indexes.push_back(found->second);
  return indexes;
}

unsigned Distances::cpu(const NumaWeights& weights, const Port& port) const {
  const auto nodes = nodes_of(port.numa);
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

int Distances::gpu_class(const Gpu& gpu, const Port& port) const {
  const std::size_t common = common_bridges(gpu.pci_path, port.pci_path);
  if (common > 1) {
    const std::size_t below = std::max(gpu.pci_path.size(), port.pci_path.size()) - common;
    return below <= 1 ? gpu_one_bridge : gpu_bridges;
  }
  if (common == 1) return gpu_host_bridge;
  const auto gpu_nodes = nodes_of(gpu.numa), port_nodes = nodes_of(port.numa);
  if (gpu_nodes.empty() || port_nodes.empty()) return gpu_unknown;
  int nearest = gpu_system;
  for (const std::size_t a : gpu_nodes)
    for (const std::size_t b : port_nodes) {
      if (a == b) return gpu_numa_node;
      const unsigned package = node_.numa_nodes[a].package;
      if (package != UINT_MAX && package == node_.numa_nodes[b].package) nearest = gpu_package;
    }
  return nearest;
}

int Distances::gpu(const std::vector<PciAddress>& gpus, const Port& port) const {
  int nearest = gpu_unknown;
  for (const auto& gpu : node_.gpus) {
    if (std::find(gpus.begin(), gpus.end(), gpu.pci) == gpus.end()) continue;
    const int distance = gpu_class(gpu, port);
    if (distance != gpu_unknown && (nearest == gpu_unknown || distance < nearest)) nearest = distance;
  }
  return nearest;
}

std::string Distances::locality(const NumaWeights& weights, const Port& port) const {
  const auto nodes = nodes_of(port.numa);
  if (nodes.empty() || weights.empty()) return "unknown locality";
  bool same_node = true, same_package = true;
  for (const auto& [from, weight] : weights) {
    const unsigned package = node_.numa_nodes[from].package;
    same_node = same_node && std::find(nodes.begin(), nodes.end(), from) != nodes.end();
    same_package = same_package && package != UINT_MAX &&
                   std::any_of(nodes.begin(), nodes.end(),
                               [&](std::size_t to) { return node_.numa_nodes[to].package == package; });
  }
  if (same_node) return "same NUMA node";
  return same_package ? "same package" : "other package";
}

void make_unknown_neutral(std::vector<unsigned>& distances) {
  std::vector<unsigned> known;
  for (const unsigned distance : distances)
    if (distance != 0) known.push_back(distance);
  std::sort(known.begin(), known.end());
  const std::size_t half = known.size() / 2;
  unsigned median = local_distance;
  if (!known.empty()) median = known.size() % 2 == 1 ? known[half] : (known[half - 1] + known[half]) / 2;
  for (unsigned& distance : distances)
    if (distance == 0) distance = median;
}

}  // namespace cib
