// Placement alone. Arguments: tasks, ports.
#include <benchmark/benchmark.h>

#include <random>

#include "support/node_builder.hpp"

namespace cib {
namespace {

// Eight NUMA nodes in two packages, ports dealt over them.
Inventory large_node(unsigned ports, unsigned cpus_per_node) {
  Inventory node = test::numa_node(2, 4);
  node.cores.clear();
  for (unsigned n = 0; n < 8; ++n) {
    node.numa_nodes[n].cpus = test::cpus(n * cpus_per_node, (n + 1) * cpus_per_node - 1);
    for (unsigned cpu = n * cpus_per_node; cpu < (n + 1) * cpus_per_node; ++cpu)
      node.cores.push_back(test::cpus(cpu, cpu));
  }
  for (unsigned i = 0; i < ports; ++i) {
    node.ports.push_back(test::port("mlx5_" + std::to_string(i), "0000:00:00.0", {i % 8}));
    node.ports.back().pci->bus = static_cast<std::uint8_t>(i);
    node.ports.back().rate_gbps = i % 3 == 0 ? 100 : 200;
  }
  return node;
}

void run(benchmark::State& state, const std::vector<LocalTask>& tasks, const Inventory& node, Place how) {
  auto options = test::one_rail();
  options.place = how;
  for (auto _ : state) benchmark::DoNotOptimize(place(node, tasks, options));
}

// One core a task, cores in order: what block distribution makes.
void OneCoreEach(benchmark::State& state) {
  const auto count = static_cast<unsigned>(state.range(0));
  std::vector<LocalTask> tasks;
  for (unsigned i = 0; i < count; ++i) tasks.push_back(test::task(i, test::cpus(i, i)));
  run(state, tasks, large_node(static_cast<unsigned>(state.range(1)), count / 8), Place::balanced);
}

// All tasks on the first NUMA node: most of them have to go elsewhere.
void Packed(benchmark::State& state) {
  const auto count = static_cast<unsigned>(state.range(0));
  std::vector<LocalTask> tasks;
  for (unsigned i = 0; i < count; ++i) tasks.push_back(test::task(i, test::cpus(i % 4, i % 4)));
  run(state, tasks, large_node(static_cast<unsigned>(state.range(1)), count / 8), Place::balanced);
}

// No two masks alike, so that no two tasks can be treated together: the worst case.
void AllMasksDiffer(benchmark::State& state, Place how) {
  const auto count = static_cast<unsigned>(state.range(0));
  std::mt19937 random(1);
  std::vector<LocalTask> tasks;
  for (unsigned i = 0; i < count; ++i) {
    CpuSet mask;
    for (int k = 0; k < 12; ++k) mask.add(static_cast<unsigned>(random() % count));
    tasks.push_back(test::task(i, mask));
  }
  run(state, tasks, large_node(static_cast<unsigned>(state.range(1)), count / 8), how);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->Args({64, 10})->Args({256, 32})->Args({1024, 64})->Unit(benchmark::kMicrosecond);
}

BENCHMARK(OneCoreEach)->Apply(sizes);
BENCHMARK(Packed)->Apply(sizes);
BENCHMARK_CAPTURE(AllMasksDiffer, balanced, Place::balanced)->Apply(sizes);
BENCHMARK_CAPTURE(AllMasksDiffer, nearest, Place::nearest)->Apply(sizes);
BENCHMARK_CAPTURE(AllMasksDiffer, spread, Place::spread)->Apply(sizes);

}  // namespace
}  // namespace cib
