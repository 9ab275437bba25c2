// The assignment of ports to tasks: eligible ports are grouped by connector and slot, like tasks to classes,
// and a minimum-cost flow decides how many tasks of each class use each connector.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include "container_ib/placement.hpp"
#include "distance.hpp"
#include "eligibility.hpp"
#include "flow.hpp"
#include "network_costs.hpp"
#include "physical_ports.hpp"
#include "plan_hash.hpp"
#include "task_classes.hpp"
#include "task_spread.hpp"

namespace cib {

namespace {

constexpr unsigned max_auto_rails = 2;  // UCX_MAX_RNDV_RAILS

using Indexes = std::vector<std::size_t>;

// By PCI address and not by name: names are given in the order of discovery. Unknown addresses come last.
Indexes sorted_ports(const std::vector<Port>& ports) {
  Indexes order(ports.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    const Port& port = ports[i];
    return std::tuple(!port.pci, port.pci.value_or(PciAddress{}), port.device.size(),
                      std::cref(port.device).get(), port.number, port.port_guid, port.node_guid);
  };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  return order;
}

std::vector<LocalTask> sorted_tasks(std::vector<LocalTask> tasks) {
  std::sort(tasks.begin(), tasks.end(), [](const LocalTask& a, const LocalTask& b) {
    return std::tie(a.id, a.mask.words()) < std::tie(b.id, b.mask.words());
  });
  return tasks;
}

// Ports (indexes in the sorted list) that share one connector.
std::vector<Indexes> by_connector(const Indexes& ports, const std::vector<std::string>& physical) {
  std::map<std::string, std::size_t> known;
  std::vector<Indexes> connectors;
  for (const std::size_t port : ports) {
    const auto [entry, is_new] = known.emplace(physical[port], connectors.size());
    if (is_new) connectors.emplace_back();
    connectors[entry->second].push_back(port);
  }
  return connectors;
}

class Placer {
 public:
  Placer(const Inventory& node, std::vector<Port> ports, const std::vector<LocalTask>& tasks,
         const PlacementOptions& options)
      : ports_(std::move(ports)),
        options_(options),
        task_count_(tasks.size()),
        distances_(node),
        classes_(task_classes(distances_, tasks, options.use_gpus)),
        salt_(job_salt(node, tasks)),
        spread_(is_spread(node, tasks)),
        chosen_(tasks.size()) {
    for (const auto& task_class : classes_) distance_.push_back(port_distances(task_class));
  }

  // Gives every task `rails` ports of these.
  void assign(const std::vector<Indexes>& connectors, unsigned rails) {
    // Where a task's GPUs are matters more than a port that is a little fuller.
    const bool by_gpu = std::any_of(classes_.begin(), classes_.end(),
                                    [](const TaskClass& task_class) { return !task_class.gpus.empty(); });
    Network network = connector_network(
        ports_, connectors,
        {.place = options_.place, .units = task_count_ * rails, .limit_load = spread_ && !by_gpu});
    std::vector<std::vector<Indexes>> best(classes_.size());
    for (std::size_t k = 0; k < classes_.size(); ++k)
      network.classes.push_back(class_arcs(k, connectors, rails, best[k]));
    const Flow flow = min_cost_flow(network);
    for (std::size_t k = 0; k < classes_.size(); ++k) deal_out(k, flow[k], best[k]);
  }

  std::vector<TaskPlacement> result(const std::vector<LocalTask>& tasks) && {
    std::vector<TaskPlacement> placed(tasks.size());
    for (std::size_t k = 0; k < classes_.size(); ++k) {
      for (const std::size_t task : classes_[k].tasks) {
        auto& ports = chosen_[task];
        std::stable_sort(ports.begin(), ports.end(), [&](std::size_t a, std::size_t b) {
          return std::tuple(distance_[k][a].weight, a) < std::tuple(distance_[k][b].weight, b);
        });
        placed[task].task = tasks[task].id;
        if (!ports.empty()) {
          placed[task].distance = distance_[k][ports.front()].cpu;
          placed[task].locality = distances_.locality(classes_[k].location.weights, ports_[ports.front()]);
        }
        placed[task].ports = std::move(ports);
      }
    }
    return placed;
  }

 private:
  struct Distance {
    unsigned cpu = 0;     // for people
    unsigned weight = 0;  // for the solver: GPUs first, CPUs decide among equals
  };

  std::vector<Distance> port_distances(const TaskClass& task_class) const {
    std::vector<unsigned> cpu, gpu;
    for (const auto& port : ports_) {
      cpu.push_back(distances_.cpu(task_class.location.weights, port));
      // 0 stands for unknown here, so the classes are shifted by one.
      gpu.push_back(static_cast<unsigned>(distances_.gpu(task_class.gpus, port) + 1));
    }
    make_unknown_neutral(cpu);
    if (task_class.gpus.empty())
      std::fill(gpu.begin(), gpu.end(), 1U);
    else
      make_unknown_neutral(gpu);
    std::vector<Distance> distances;
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      const unsigned near = task_class.location.everywhere ? local_distance : cpu[i];
      distances.push_back({cpu[i], 4 * (gpu[i] - 1) + near});
    }
    return distances;
  }

  // Where the job begins within its NUMA node, as a fraction: jobs that share a node break ties differently,
  // and the steps of one job alike.
  static double job_salt(const Inventory& node, const std::vector<LocalTask>& tasks) {
    CpuSet job;
    for (const auto& task : tasks)
      for (const unsigned pu : task.mask.list()) job.add(pu);
    const auto pus = job.list();
    if (pus.empty()) return 0;
    for (const auto& numa : node.numa_nodes) {
      if (!numa.cpus.has(pus.front())) continue;
      std::size_t cores = 0, before = 0;
      bool reached = false;
      for (const auto& core : node.cores) {
        if (core.count_common(numa.cpus) == 0) continue;
        ++cores;
        reached = reached || core.has(pus.front());
        if (!reached) ++before;
      }
      return cores == 0 ? 0 : static_cast<double>(before) / static_cast<double>(cores);
    }
    return 0;
  }

  // The arcs of class k: towards each connector at the distance of its nearest allowed port.
  Network::Class class_arcs(std::size_t k, const std::vector<Indexes>& connectors, unsigned rails,
                            std::vector<Indexes>& best) const {
    std::map<unsigned, std::size_t> equally_near;
    best.resize(connectors.size());
    unsigned allowed = 0;
    for (std::size_t c = 0; c < connectors.size(); ++c) {
      for (const std::size_t port : connectors[c]) {
        if (!classes_[k].allows(ports_[port])) continue;
        const unsigned weight = distance_[k][port].weight;
        if (!best[c].empty() && weight < distance_[k][best[c].front()].weight) best[c].clear();
        if (best[c].empty() || weight == distance_[k][best[c].front()].weight) best[c].push_back(port);
      }
      if (best[c].empty()) continue;
      ++allowed;
      ++equally_near[distance_[k][best[c].front()].weight];
    }

    Network::Class arcs;
    arcs.tasks = static_cast<unsigned>(classes_[k].tasks.size());
    arcs.units = arcs.tasks * std::min(rails, allowed);
    std::map<unsigned, std::size_t> seen;
    for (std::size_t c = 0; c < connectors.size(); ++c) {
      if (best[c].empty()) {
        arcs.cost.push_back(Network::forbidden);
        continue;
      }
      const unsigned weight = distance_[k][best[c].front()].weight;
      const std::size_t among = equally_near[weight], rank = seen[weight]++;
      const auto shift = k + static_cast<std::size_t>(salt_ * static_cast<double>(among));
      arcs.cost.push_back(distance_cost(weight, options_.place) +
                          static_cast<std::int64_t>((rank + among - shift % among) % among));
    }
    return arcs;
  }

  // Ascending tasks take the units connector by connector. A connector has at most one unit per task, so
  // going round gives no task two ports of one connector.
  void deal_out(std::size_t k, const std::vector<unsigned>& units, const std::vector<Indexes>& best) {
    const auto& tasks = classes_[k].tasks;
    std::size_t turn = 0;
    for (std::size_t c = 0; c < units.size(); ++c)
      for (unsigned unit = 0; unit < units[c]; ++unit, ++turn)
        chosen_[tasks[turn % tasks.size()]].push_back(best[c][unit % best[c].size()]);
  }

  std::vector<Port> ports_;  // sorted
  const PlacementOptions& options_;
  std::size_t task_count_;
  Distances distances_;
  std::vector<TaskClass> classes_;
  double salt_;
  bool spread_;
  std::vector<std::vector<Distance>> distance_;  // per class and port
  std::vector<Indexes> chosen_;                  // per task
};

}  // namespace

Assignment place(const Inventory& node, const std::vector<LocalTask>& given_tasks,
                 const PlacementOptions& options) {
  const Indexes order = sorted_ports(node.ports);
  std::vector<Port> ports;
  for (const std::size_t i : order) ports.push_back(node.ports[i]);
  const auto tasks = sorted_tasks(given_tasks);
  const auto physical = physical_port_names(ports);
  const auto reasons = reasons_against(ports, physical, options);

  Assignment answer;
  std::map<Fabric, Indexes> fabrics;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    answer.verdicts.push_back({order[i], reasons[i].empty(), reasons[i], physical[i]});
    // Only with fabric=all is there more than one left; its tasks keep a port in each.
    if (reasons[i].empty()) fabrics[options.fabric == "all" ? fabric_of(ports[i]) : Fabric{}].push_back(i);
  }

  Placer placer(node, ports, tasks, options);
  for (const auto& [fabric, members] : fabrics) {
    const auto connectors = by_connector(members, physical);
    const auto per_task = tasks.empty() ? 1 : connectors.size() / tasks.size();
    const auto wanted =
        options.rails != 0 ? options.rails / fabrics.size() : std::min<std::size_t>(per_task, max_auto_rails);
    placer.assign(connectors, static_cast<unsigned>(std::max<std::size_t>(wanted, 1)));
  }
  answer.tasks = std::move(placer).result(tasks);

  std::vector<std::string> placed_ports;
  for (auto& task : answer.tasks) {
    for (auto& port : task.ports) {
      placed_ports.push_back(std::to_string(task.task) + "=" + ports[port].name());
      port = order[port];
    }
  }
  answer.plan = plan_hash(node, ports, tasks, options, answer.tasks, placed_ports);
  return answer;
}

}  // namespace cib
