// The assignment of ports to tasks: eligible ports are grouped by connector and slot, like tasks to classes,
// and a minimum-cost flow decides how many tasks of each class use each connector.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include "connectors.hpp"
#include "container_ib/placement.hpp"
#include "distance.hpp"
#include "eligibility.hpp"
#include "flow.hpp"
#include "flow_costs.hpp"
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

class Placer {
 public:
  Placer(const Inventory& node, const std::vector<Port>& ports, const std::vector<LocalTask>& tasks,
         const PlacementOptions& options)
      : ports_(ports),
        options_(options),
        distances_(node, ports_),
        classes_(task_classes(distances_, tasks, options.use_gpus)),
        start_(start_within_node(node, tasks)),
        spread_(is_spread(node, tasks)),
        chosen_(tasks.size()) {
    for (const auto& task_class : classes_) {
      distance_.push_back(distances_.to_ports(task_class.location, task_class.gpus));
      if (!task_class.anywhere()) placed_tasks_ += task_class.tasks.size();
    }
  }

  // Gives every task `rails` ports of these.
  void assign(const std::vector<Indexes>& connectors, unsigned rails) {
    // Where a task's GPUs are matters more than a port that is a little fuller.
    const bool by_gpu = std::any_of(classes_.begin(), classes_.end(),
                                    [](const TaskClass& task_class) { return !task_class.gpus.empty(); });
    Network network = connector_network(
        ports_, connectors,
        {.place = options_.place, .units = placed_tasks_ * rails, .limit_load = spread_ && !by_gpu});
    if (options_.free_vfs && !options_.shared_vfs)
      for (std::size_t c = 0; c < connectors.size(); ++c)
        network.connectors[c].capacity = vfs_of(connectors[c]);
    for (std::size_t k = 0; k < classes_.size(); ++k)
      network.classes.push_back(class_arcs(k, connectors, rails));
    const Flow flow = min_cost_flow(network);
    for (std::size_t k = 0; k < classes_.size(); ++k)
      classes_[k].anywhere() ? give_all(k, connectors) : deal_out(k, flow[k], connectors);
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
          placed[task].locality =
              nearness_text(distances_.locality(classes_[k].location.weights, ports.front()));
        }
        placed[task].ports = std::move(ports);
      }
    }
    return placed;
  }

 private:
  unsigned vfs_of(const Indexes& connector) const {
    unsigned sum = 0;
    for (const std::size_t port : connector) sum += options_.free_vfs->at(*ports_[port].pci);
    return sum;
  }

  // The distance of the connector's nearest port that class k may use.
  std::optional<unsigned> nearest(std::size_t k, const Indexes& connector) const {
    std::optional<unsigned> weight;
    for (const std::size_t port : connector)
      if (classes_[k].allows(ports_[port]) && (!weight || distance_[k][port].weight < *weight))
        weight = distance_[k][port].weight;
    return weight;
  }

  // Equally near connectors are ranked from a different one for each class and, by where it begins, each job.
  Network::Class class_arcs(std::size_t k, const std::vector<Indexes>& connectors, unsigned rails) const {
    struct Level {  // of equally near connectors; there are few, as ports share NUMA nodes
      unsigned weight;
      std::size_t size = 0, next_rank = 0;
    };
    std::vector<Level> levels;
    std::vector<std::size_t> level_of(connectors.size(), SIZE_MAX);
    for (std::size_t c = 0; c < connectors.size(); ++c) {
      const auto weight = nearest(k, connectors[c]);
      if (!weight) continue;
      std::size_t level = 0;
      while (level < levels.size() && levels[level].weight != *weight) ++level;
      if (level == levels.size()) levels.push_back({*weight});
      ++levels[level].size;
      level_of[c] = level;
    }

    Network::Class arcs;
    arcs.tasks = static_cast<unsigned>(classes_[k].tasks.size());
    arcs.units = classes_[k].anywhere() ? 0 : arcs.tasks * rails;
    arcs.cost.assign(connectors.size(), Network::forbidden);
    for (auto& level : levels) {
      const auto shift = k + static_cast<std::size_t>(start_ * static_cast<double>(level.size));
      level.next_rank = level.size - shift % level.size;
    }
    for (std::size_t c = 0; c < connectors.size(); ++c) {
      if (level_of[c] == SIZE_MAX) continue;
      Level& level = levels[level_of[c]];
      if (level.next_rank == level.size) level.next_rank = 0;
      arcs.cost[c] =
          distance_cost(level.weight, options_.place) + static_cast<std::int64_t>(level.next_rank++);
    }
    return arcs;
  }

  // Ascending tasks take the units connector by connector. A connector has at most one unit per task, so
  // going round gives no task two ports of one connector.
  void deal_out(std::size_t k, const std::vector<unsigned>& units, const std::vector<Indexes>& connectors) {
    const auto& tasks = classes_[k].tasks;
    std::size_t turn = 0;
    for (std::size_t c = 0; c < units.size(); ++c) {
      if (units[c] == 0) continue;
      const auto weight = nearest(k, connectors[c]);
      Indexes best;  // functions of one card may be equally near
      for (const std::size_t port : connectors[c])
        if (classes_[k].allows(ports_[port]) && distance_[k][port].weight == weight) best.push_back(port);
      for (unsigned unit = 0; unit < units[c]; ++unit, ++turn)
        chosen_[tasks[turn % tasks.size()]].push_back(best[unit % best.size()]);
    }
  }

  // The node-wide list: the MPI library, which knows where it runs, chooses.
  void give_all(std::size_t k, const std::vector<Indexes>& connectors) {
    for (const auto& connector : connectors)
      for (const std::size_t port : connector)
        if (classes_[k].allows(ports_[port]))
          for (const std::size_t task : classes_[k].tasks) chosen_[task].push_back(port);
  }

  const std::vector<Port>& ports_;  // eligible, sorted
  const PlacementOptions& options_;
  std::size_t placed_tasks_ = 0;  // that the network assigns
  Distances distances_;
  std::vector<TaskClass> classes_;
  double start_;
  bool spread_;
  std::vector<std::vector<PortDistance>> distance_;  // per class and port
  std::vector<Indexes> chosen_;                      // per task
};

}  // namespace

Assignment place(const Inventory& node, const std::vector<LocalTask>& given_tasks,
                 const PlacementOptions& options) {
  const Indexes order = sorted_ports(node.ports);
  std::vector<Port> ports;
  for (const std::size_t i : order) ports.push_back(node.ports[i]);
  const auto tasks = sorted_tasks(given_tasks);
  const auto physical = connectors_of(ports);
  const auto reasons = reasons_against(ports, physical, options);

  Assignment answer;
  std::vector<Port> eligible;
  Indexes origin;  // of the eligible ones, in node.ports
  std::vector<std::string> eligible_physical;
  std::map<Fabric, Indexes> fabrics;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    answer.verdicts.push_back({order[i], reasons[i].empty(), reasons[i], physical[i]});
    if (!reasons[i].empty()) continue;
    // Only with fabric=all is there more than one left; its tasks keep a port in each.
    fabrics[options.fabric == "all" ? fabric_of(ports[i]) : Fabric{}].push_back(eligible.size());
    eligible.push_back(ports[i]);
    eligible_physical.push_back(physical[i]);
    origin.push_back(order[i]);
  }

  Placer placer(node, eligible, tasks, options);
  for (const auto& [fabric, members] : fabrics) {
    const auto connectors = by_connector(members, eligible_physical);
    const auto per_task = tasks.empty() ? 1 : connectors.size() / tasks.size();
    const auto wanted =
        options.rails != 0 ? options.rails / fabrics.size() : std::min<std::size_t>(per_task, max_auto_rails);
    placer.assign(connectors, static_cast<unsigned>(std::max<std::size_t>(wanted, 1)));
  }
  answer.tasks = std::move(placer).result(tasks);

  std::vector<std::string> placed_ports;
  for (auto& task : answer.tasks) {
    for (auto& port : task.ports) {
      placed_ports.push_back(std::to_string(task.task) + "=" + eligible[port].name());
      port = origin[port];
    }
  }
  answer.plan = plan_hash(node, ports, tasks, options, answer.tasks, placed_ports);
  return answer;
}

}  // namespace cib
