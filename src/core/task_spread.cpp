#include "task_spread.hpp"

#include <algorithm>
#include <cmath>

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

}  // namespace cib
