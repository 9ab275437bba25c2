// The inventory: cold against what hwloc alone takes, and from the cache.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "adapters/hwloc/topology.hpp"
#include "adapters/inventory/cache.hpp"
#include "container_ib/inventory.hpp"
#include "support/temp_tree.hpp"

namespace cib {
namespace {

using Seconds = std::chrono::duration<double>;

template <class Work>
double duration(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return Seconds(std::chrono::steady_clock::now() - begin).count();
}

// The run that was disturbed least.
double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

// Without a cache, against what hwloc alone takes with the same filters. In turn, so that whatever else the
// machine does slows both.
void LiveCold(benchmark::State& state) {
  std::vector<double> ours, hwloc;
  for (auto _ : state) {
    hwloc.push_back(duration([] { benchmark::DoNotOptimize(load_topology({})); }));
    ours.push_back(duration([] { benchmark::DoNotOptimize(load_inventory({})); }));
    state.SetIterationTime(ours.back());
  }
  state.counters["hwloc_ms"] = 1e3 * least(hwloc);
  state.counters["cold_ms"] = 1e3 * least(ours);
  state.counters["ratio"] = least(ours) / least(hwloc);
}

// This machine from the cache, and the states of eight HCAs from a sysfs of our own: not every machine has
// them.
void LiveFromWarmCache(benchmark::State& state) {
  const test::TempTree tree;
  InventorySource source;
  source.cache = tree.path("state");
  source.sysfs = tree.path("sys");
  for (int i = 0; i < 8; ++i) {
    const std::string device = "sys/class/infiniband/mlx5_" + std::to_string(i);
    const std::pair<const char*, const char*> facts[] = {
        {"node_guid", "506b:4b03:003c:eee8"},
        {"sys_image_guid", "506b:4b03:003c:eee8"},
        {"device/numa_node", "0"},
        {"device/current_link_speed", "32.0 GT/s PCIe"},
        {"device/current_link_width", "16"},
        {"device/net/ib0/dev_port", "0"},
        {"ports/1/state", "4: ACTIVE"},
        {"ports/1/phys_state", "5: LinkUp"},
        {"ports/1/link_layer", "InfiniBand"},
        {"ports/1/rate", "400 Gb/sec (4X NDR)"},
        {"ports/1/lid", "0x26"},
        {"ports/1/sm_lid", "0x1"},
        {"ports/1/gids/0", "fe80:0000:0000:0000:506b:4b03:003c:eee8"}};
    for (const auto& [name, text] : facts) tree.file(device + "/" + name, std::string(text) + "\n");
  }
  if (!load_inventory(source)) state.SkipWithError("no inventory");
  for (auto _ : state) benchmark::DoNotOptimize(load_inventory(source));
}

// A cache of a large node: 8 NUMA nodes, 256 PUs, 8 ports.
void DecodeLargeNode(benchmark::State& state) {
  Inventory node;
  for (unsigned n = 0; n < 8; ++n) {
    node.numa_nodes.push_back({n, n / 4, {}});
    node.distances.push_back({10, 11, 12, 12, 32, 32, 32, 32});
    node.ports.emplace_back();
    node.ports.back().device = "mlx5_" + std::to_string(n);
    node.ports.back().pci_path = {"host 0:64", "0000:40:01.1"};
  }
  for (unsigned core = 0; core < 128; ++core) {
    CpuSet set;
    set.add(core);
    set.add(core + 128);
    node.cores.push_back(set);
    for (const unsigned pu : set.list()) node.numa_nodes[core / 16].cpus.add(pu);
  }
  const std::string text = encode_inventory(node);
  for (auto _ : state) benchmark::DoNotOptimize(decode_inventory(text));
}

BENCHMARK(LiveCold)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(LiveFromWarmCache)->Unit(benchmark::kMillisecond);
BENCHMARK(DecodeLargeNode)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cib
