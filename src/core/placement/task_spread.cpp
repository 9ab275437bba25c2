#include "task_spread.hpp"

#include <algorithm>
#include <climits>
#include <cmath>
#include <optional>

namespace cib {

bool is_spread(const Inventory& node, const std::vector<LocalTask>& tasks) {
  std::vector<double> tasks_on(node.numa_nodes.size());
  double placed = 0;
  for (const auto& task : tasks) {
    const unsigned cpus = task.mask.count();
    if (cpus == 0) continue;
    ++placed;
    for (std::size_t n = 0; n < tasks_on.size(); ++n)
      tasks_on[n] += static_cast<double>(task.mask.count_common(node.numa_nodes[n].cpus)) / cpus;
  }
  double all_cpus = 0, nodes = 0;
  for (const auto& numa : node.numa_nodes) {
    all_cpus += numa.cpus.count();
    nodes += numa.cpus.empty() ? 0 : 1;
  }
  if (all_cpus == 0) return false;
  constexpr double rounding = 1e-9;
  for (std::size_t n = 0; n < tasks_on.size(); ++n) {
    const double by_cpus = placed * node.numa_nodes[n].cpus.count() / all_cpus;
    if (tasks_on[n] > std::ceil(std::max(by_cpus, placed / nodes)) + rounding) return false;
  }
  return true;
}

double start_within_node(const Inventory& node, const std::vector<LocalTask>& tasks) {
  std::optional<unsigned> first;
  for (const auto& task : tasks)
    if (!task.mask.empty()) first = std::min(first.value_or(UINT_MAX), task.mask.list().front());
  if (!first) return 0;
  for (const auto& numa : node.numa_nodes) {
    if (!numa.cpus.has(*first)) continue;
    double cores = 0, before = 0;
    bool reached = false;
    for (const auto& core : node.cores) {
      if (core.count_common(numa.cpus) == 0) continue;
      ++cores;
      reached = reached || core.has(*first);
      if (!reached) ++before;
    }
    return reached ? before / cores : 0;
  }
  return 0;
}

}  // namespace cib
