// The inventory against what hwloc alone takes.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>

#include "container_ib/inventory.hpp"
#include "hwloc/topology.hpp"
#include "inventory/cache.hpp"
#include "support/temp_tree.hpp"

namespace cib {
namespace {

void HwlocLoadOnly(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(load_topology({}));
}

void LiveCold(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(load_inventory({}));
}

void LiveFromWarmCache(benchmark::State& state) {
  const test::TempTree tree;
  InventorySource source;
  source.cache = tree.path();
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

BENCHMARK(HwlocLoadOnly)->Unit(benchmark::kMillisecond);
BENCHMARK(LiveCold)->Unit(benchmark::kMillisecond);
BENCHMARK(LiveFromWarmCache)->Unit(benchmark::kMillisecond);
BENCHMARK(DecodeLargeNode)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cib
