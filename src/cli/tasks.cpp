#include "tasks.hpp"

#include <algorithm>

#include "container_ib/text.hpp"

namespace cib::cli {

namespace {

CpuSet slice_of(const std::vector<CpuSet>& cores, unsigned task, unsigned count) {
  const auto begin = std::size_t{task} * cores.size() / count;
  const auto end = std::max(begin + 1, (std::size_t{task} + 1) * cores.size() / count);
  CpuSet mask;
  for (std::size_t core = begin; core < end; ++core)
    for (const unsigned pu : cores[core].list()) mask.add(pu);
  return mask;
}

// The cores of each NUMA node that has any, in the order of their first core.
std::vector<std::vector<CpuSet>> cores_by_numa_node(const Inventory& node) {
  std::vector<std::vector<CpuSet>> cores(node.numa_nodes.size());
  std::vector<std::size_t> order;
  for (const auto& core : node.cores) {
    for (std::size_t n = 0; n < node.numa_nodes.size(); ++n) {
      if (core.count_common(node.numa_nodes[n].cpus) == 0) continue;
      if (cores[n].empty()) order.push_back(n);
      cores[n].push_back(core);
      break;
    }
  }
  std::vector<std::vector<CpuSet>> ordered;
  for (const std::size_t n : order) ordered.push_back(std::move(cores[n]));
  return ordered;
}

}  // namespace

Result<std::vector<LocalTask>> tasks_from_masks(const std::string& masks) {
  std::vector<LocalTask> tasks;
  for (const auto word : split(masks, ',')) {
    LocalTask task;
    task.id = static_cast<unsigned>(tasks.size());
    CIB_TRY(task.mask, CpuSet::from_hex(word));
    tasks.push_back(std::move(task));
  }
  return tasks;
}

Result<std::vector<LocalTask>> tasks_from_distribution(const Inventory& node, unsigned count,
                                                       const std::string& distribution) {
  if (node.cores.empty()) return error(Errc::not_found, "the topology has no cores to put tasks on");
  const auto numa_cores = cores_by_numa_node(node);
  std::vector<LocalTask> tasks;
  for (unsigned i = 0; i < count; ++i) {
    LocalTask task;
    task.id = i;
    if (distribution == "block") {
      task.mask = slice_of(node.cores, i, count);
    } else if (distribution == "pack" || numa_cores.empty()) {
      task.mask = node.cores[i % node.cores.size()];
    } else {
      const auto& cores = numa_cores[i % numa_cores.size()];
      task.mask = cores[i / numa_cores.size() % cores.size()];
    }
    tasks.push_back(std::move(task));
  }
  return tasks;
}

Status add_gpus(const std::string& text, std::vector<LocalTask>& tasks) {
  if (text.empty()) return {};
  for (const auto word : split(text, ',')) {
    const std::size_t colon = word.find(':');
    const auto task = whole_number<unsigned>(word.substr(0, colon));
    if (colon == std::string_view::npos || !task || *task >= tasks.size())
      return error(Errc::bad_request, "--gpus: '" + printable(word) +
                                          "' is not TASK:BUSID with a task from 0 to " +
                                          std::to_string(tasks.size() - 1));
    auto pci = PciAddress::parse(word.substr(colon + 1));
    if (!pci) return std::move(pci).error().in("--gpus");
    tasks[*task].gpus.push_back(*pci);
  }
  return {};
}

}  // namespace cib::cli
