#include "plan_model.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <climits>
#include <map>
#include <numeric>

#include "container_ib/text.hpp"
#include "ports_view.hpp"
#include "table.hpp"

namespace cib::cli {

namespace {

using Indexes = PlanModel::Indexes;

std::string id(char letter, std::size_t number) { return letter + std::to_string(number); }

bool has(const std::vector<unsigned>& list, unsigned value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Builds the model for the eligible ports, which are `ports_` in the order of the verdicts.
class Builder {
 public:
  Builder(const Inventory& node, const std::vector<LocalTask>& tasks, const Assignment& assignment)
      : node_(node), tasks_(tasks), assignment_(assignment) {
    ports_ = cib::eligible_ports(assignment);
  }

  // `loads` are those of the assignment.
  PlanModel build(const std::vector<ConnectorLoad>& loads) && {
    add_ports(loads);
    add_gpus();
    add_tasks();
    add_packages();
    add_unknown_locality();
    summarize();
    return std::move(model_);
  }

 private:
  void add_ports(const std::vector<ConnectorLoad>& loads) {
    std::map<std::string, ConnectorLoad> connectors;
    for (const auto& load : loads) connectors[load.connector] = load;
    for (const auto& verdict : assignment_.verdicts) {
      const cib::Port& port = node_.ports[verdict.port];
      if (!verdict.eligible) {
        model_.left_out.push_back({printable(port.name(), 64), printable(verdict.why_not, 200)});
        continue;
      }
      const ConnectorLoad& load = connectors[verdict.connector];
      model_.ports.push_back({id('P', model_.ports.size()), port.name(), port.pci ? port.pci->text() : "",
                              numa_text(port),
                              port.rate_gbps > 0 ? fmt::format("{:g}", port.rate_gbps) : std::string(),
                              verdict.connector, 0, load.tasks, load.fill});
    }
  }

  void add_gpus() {
    const auto nearness = nearness_of_gpus(node_, ports_);
    std::vector<std::size_t> order(node_.gpus.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return node_.gpus[a].pci < node_.gpus[b].pci; });
    for (const std::size_t gpu : order) {
      gpu_ids_.emplace(node_.gpus[gpu].pci, model_.gpus.size());
      gpu_numa_.push_back(node_.gpus[gpu].numa);
      model_.gpus.push_back({id('G', model_.gpus.size()), printable(node_.gpus[gpu].name, 24),
                             node_.gpus[gpu].pci.text(), nearness[gpu]});
    }
  }

  void add_tasks() {
    const auto nearness = nearness_of_tasks(node_, tasks_, ports_);
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      const TaskPlacement& placed = assignment_.tasks[i];
      PlanModel::Task task;
      task.id = id('T', placed.task);
      task.cpus = ranges(tasks_[i].mask.list());
      task.numa = ranges(numa_of(tasks_[i].mask));
      std::vector<std::string> gpus;
      for (const auto& pci : tasks_[i].gpus)
        if (const auto known = gpu_ids_.find(pci); known != gpu_ids_.end())
          gpus.push_back(id('G', known->second));
      task.gpus = join(gpus, ",");
      task.to_port = nearness[i];
      for (const std::size_t port : placed.ports) {
        const auto column = std::find(ports_.begin(), ports_.end(), port) - ports_.begin();
        task.ports.push_back(static_cast<std::size_t>(column));
        ++model_.ports[static_cast<std::size_t>(column)].tasks;
      }
      if (!placed.ports.empty() && placed.locality != nearness_text(Nearness::unknown))
        task.distance = fmt::format("{:.2f}", placed.distance / 1000.0);
      model_.tasks.push_back(std::move(task));
    }
  }

  std::vector<unsigned> numa_of(const CpuSet& mask) const {
    std::vector<unsigned> nodes;
    for (const auto& numa : node_.numa_nodes)
      if (mask.count_common(numa.cpus) != 0) nodes.push_back(numa.os_index);
    std::sort(nodes.begin(), nodes.end());
    return nodes;
  }

  void add_packages() {
    std::map<unsigned, std::map<unsigned, const cib::NumaNode*>> packages;
    for (const auto& numa : node_.numa_nodes) packages[numa.package].emplace(numa.os_index, &numa);
    for (const auto& [number, nodes] : packages) {
      const std::string name = number == UINT_MAX ? "no package" : "package " + std::to_string(number);
      model_.packages.push_back({name, {}});
      for (const auto& [os_index, numa] : nodes)
        model_.packages.back().numa_nodes.push_back(numa_node(os_index, *numa));
    }
  }

  PlanModel::NumaNode numa_node(unsigned os_index, const cib::NumaNode& numa) const {
    PlanModel::NumaNode shown;
    shown.name = "NUMA " + std::to_string(os_index);
    shown.cpus = ranges(numa.cpus.list());
    for (std::size_t i = 0; i < ports_.size(); ++i)
      if (has(node_.ports[ports_[i]].numa, os_index)) shown.ports.push_back(i);
    for (std::size_t i = 0; i < gpu_numa_.size(); ++i)
      if (has(gpu_numa_[i], os_index)) shown.gpus.push_back(i);
    for (std::size_t i = 0; i < tasks_.size(); ++i)
      if (tasks_[i].mask.count_common(numa.cpus) != 0) shown.tasks.push_back(i);
    return shown;
  }

  // What no NUMA node has shown.
  void add_unknown_locality() {
    PlanModel::NumaNode shown;
    const auto rest = [&](std::size_t count, Indexes PlanModel::NumaNode::*member) {
      std::vector<char> seen(count);
      for (const auto& package : model_.packages)
        for (const auto& numa : package.numa_nodes)
          for (const std::size_t i : numa.*member) seen[i] = 1;
      for (std::size_t i = 0; i < count; ++i)
        if (seen[i] == 0) (shown.*member).push_back(i);
    };
    rest(model_.ports.size(), &PlanModel::NumaNode::ports);
    rest(model_.gpus.size(), &PlanModel::NumaNode::gpus);
    rest(model_.tasks.size(), &PlanModel::NumaNode::tasks);
    if (!shown.ports.empty() || !shown.gpus.empty() || !shown.tasks.empty())
      model_.packages.push_back({"unknown locality", {shown}});
  }

  void summarize() {
    const auto count = [](std::size_t n, const std::string& what) {
      return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
    };
    std::vector<unsigned> packages;
    for (const auto& numa : node_.numa_nodes)
      if (numa.package != UINT_MAX && !has(packages, numa.package)) packages.push_back(numa.package);
    model_.summary = join(std::vector<std::string>{
        count(packages.size(), "package"), count(node_.numa_nodes.size(), "NUMA node"),
        count(node_.cores.size(), "core"), count(node_.gpus.size(), "GPU"),
        count(model_.ports.size(), "port") + " for MPI of " + std::to_string(node_.ports.size()),
        count(tasks_.size(), "task")});
    model_.plan = assignment_.plan;
  }

  const Inventory& node_;
  const std::vector<LocalTask>& tasks_;
  const Assignment& assignment_;
  std::vector<std::size_t> ports_;
  std::map<PciAddress, std::size_t> gpu_ids_;
  std::vector<std::vector<unsigned>> gpu_numa_;
  PlanModel model_;
};

}  // namespace

PlanModel make_model(const Inventory& node, const std::vector<LocalTask>& tasks,
                     const Assignment& assignment) {
  return Builder(node, tasks, assignment).build(connector_loads(node, assignment.verdicts, assignment.tasks));
}

PlanModel make_compared_model(const Inventory& node, const std::vector<LocalTask>& tasks,
                              const PlacementOptions& options, const Assignment& assignment) {
  const Comparison comparison(node, tasks, options, assignment);
  Score ours = comparison.score(assignment.tasks);
  PlanModel model = Builder(node, tasks, assignment).build(ours.loads);
  model.rules.push_back({"container-ib", std::move(ours)});
  for (const auto rule : all_rules)
    model.rules.push_back({std::string(rule_name(rule)), comparison.score(comparison.place_by(rule))});
  return model;
}

}  // namespace cib::cli
