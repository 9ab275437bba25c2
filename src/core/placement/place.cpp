// The assignment of ports to tasks: eligible ports are grouped by connector and slot, like tasks to classes,
// and a minimum-cost flow decides how many tasks of each class use each connector.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include "connectors.hpp"
#include "container_ib/placement.hpp"
#include "container_ib/text.hpp"
#include "distance.hpp"
#include "eligibility.hpp"
#include "flow.hpp"
#include "flow_costs.hpp"
#include "plan_hash.hpp"
#include "step_nics.hpp"
#include "task_classes.hpp"
#include "task_spread.hpp"

namespace cib {

namespace {

constexpr unsigned max_auto_rails = 2;  // UCX_MAX_RNDV_RAILS

using Indexes = std::vector<std::size_t>;

// Of each task in one of the fabrics.
unsigned rails_of(const PlacementOptions& options, std::size_t fabrics, std::size_t connectors,
                  std::size_t tasks) {
  std::size_t rails = options.rails / fabrics;
  if (options.rails == all_rails)
    rails = connectors;
  else if (options.rails == 0)
    rails = std::min<std::size_t>(tasks == 0 ? 1 : connectors / tasks, max_auto_rails);
  return static_cast<unsigned>(std::max<std::size_t>(rails, 1));
}

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
      near_.push_back(may_take_near(options) ? near_gpus(node, task_class) : Near());
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
      network.classes.push_back(class_arcs(k, connectors, std::max(rails, share_near_gpus(k, connectors))));
    const Flow flow = min_cost_flow(network);
    for (std::size_t k = 0; k < classes_.size(); ++k) {
      if (takes_near_gpus(k))
        give_near_gpus(k, connectors);
      else
        classes_[k].anywhere() ? give_all(k, connectors) : deal_out(k, flow[k], connectors);
    }
  }

  std::vector<TaskPlacement> result(const std::vector<LocalTask>& tasks) && {
    std::vector<TaskPlacement> placed(tasks.size());
    for (std::size_t k = 0; k < classes_.size(); ++k) {
      for (const std::size_t task : classes_[k].tasks) {
        auto& ports = chosen_[task];
        std::stable_sort(ports.begin(), ports.end(), [&](std::size_t a, std::size_t b) {
          // InfiniBand first: where there is Ethernet too, a library that takes one port takes that.
          return std::tuple(kind_of(ports_[a]), distance_[k][a].weight, a) <
                 std::tuple(kind_of(ports_[b]), distance_[k][b].weight, b);
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
  // Each port of mode vf is a VF of its own, of which there are few.
  static bool may_take_near(const PlacementOptions& options) {
    return options.rails == 0 && options.all_near_gpus && !options.free_vfs;
  }

  // Ports near a class's GPUs.
  struct Near {
    std::set<std::size_t> behind_switch;  // of PCIe, with a GPU: these are its own, as the machine is built
    // Of NUMA, or else of its package, where no switch says more: the GPUs there share them.
    std::set<std::size_t> on_node;
    double part = 0;  // of the node's GPUs, those of this class of which nobody knows what they are near to
  };

  // Of each GPU the nearest ports; what is in another package is not near.
  Near near_gpus(const Inventory& node, const TaskClass& task_class) const {
    Near near;
    for (const Gpu& gpu : node.gpus) {
      if (!std::binary_search(task_class.gpus.begin(), task_class.gpus.end(), gpu.pci)) continue;
      std::vector<Nearness> nearness;
      for (std::size_t port = 0; port < ports_.size(); ++port)
        nearness.push_back(task_class.allows(ports_[port]) ? distances_.nearness_to_gpu(gpu, port)
                                                           : Nearness::unknown);
      const auto best =
          nearness.empty() ? Nearness::unknown : *std::min_element(nearness.begin(), nearness.end());
      if (best == Nearness::unknown) near.part += 1.0 / static_cast<double>(node.gpus.size());
      if (best > Nearness::package) continue;
      for (std::size_t port = 0; port < ports_.size(); ++port)
        if (nearness[port] == best)
          (best <= Nearness::bridges ? near.behind_switch : near.on_node).insert(port);
    }
    return near;
  }

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

  // How many of the connectors on the NUMA nodes of its GPUs are a task's share, when every task with GPUs
  // there has the same. Of connectors that are not known to be near or far, as many as it has of the GPUs.
  unsigned share_near_gpus(std::size_t k, const std::vector<Indexes>& connectors) const {
    const auto holds = [&](const std::set<std::size_t>& ports, const Indexes& connector) {
      return std::any_of(connector.begin(), connector.end(),
                         [&](std::size_t port) { return ports.contains(port); });
    };
    std::size_t own = 0, sharers = 0;
    if (!near_[k].on_node.empty())
      for (const auto& connector : connectors) own += holds(near_[k].on_node, connector) ? 1U : 0U;
    if (own == 0) return static_cast<unsigned>(near_[k].part * static_cast<double>(connectors.size()) + 1e-9);
    for (std::size_t j = 0; j < classes_.size(); ++j)
      if (std::any_of(connectors.begin(), connectors.end(), [&](const Indexes& connector) {
            return holds(near_[k].on_node, connector) && holds(near_[j].on_node, connector);
          }))
        sharers += classes_[j].tasks.size();
    return static_cast<unsigned>(own / sharers);
  }

  // A process that moves the data of several GPUs needs the ports of all of them, and which GPU's data goes
  // where is decided by its libraries.
  bool takes_near_gpus(std::size_t k) const { return !near_[k].behind_switch.empty(); }

  void give_near_gpus(std::size_t k, const std::vector<Indexes>& connectors) {
    for (const auto& connector : connectors) {
      const auto weight = nearest(k, connector);
      for (const std::size_t port : connector) {  // one function of a card
        if (!near_[k].behind_switch.contains(port) || !classes_[k].allows(ports_[port]) ||
            distance_[k][port].weight != weight)
          continue;
        for (const std::size_t task : classes_[k].tasks) chosen_[task].push_back(port);
        break;
      }
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
  std::vector<Near> near_;                           // per class, where it may take them
  std::vector<Indexes> chosen_;                      // per task
};

}  // namespace

Assignment place(const Inventory& node, const std::vector<LocalTask>& given_tasks,
                 const PlacementOptions& options) {
  const Indexes order = sorted_ports(node.ports);
  std::vector<Port> ports;
  for (const std::size_t i : order) ports.push_back(node.ports[i]);
  const auto physical = connectors_of(ports);
  Eligibility judged = judge_ports(ports, physical, options);

  Assignment answer;
  answer.notes = std::move(judged.notes);
  const auto tasks = with_nics_as_ports(sorted_tasks(given_tasks), ports, answer.notes);
  std::vector<Port> eligible;
  Indexes origin;  // of the eligible ones, in node.ports
  std::vector<std::string> eligible_physical;
  std::map<Fabric, Indexes> fabrics;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::string& reason = judged.reasons[i];
    answer.verdicts.push_back({order[i], reason.empty(), reason, judged.remarks[i], physical[i]});
    if (!reason.empty()) continue;
    // Only with fabric=all, and with Ethernet beside InfiniBand, are there several; tasks keep a port in
    // each.
    fabrics[judged.fabrics[i]].push_back(eligible.size());
    eligible.push_back(ports[i]);
    eligible_physical.push_back(physical[i]);
    origin.push_back(order[i]);
  }

  Placer placer(node, eligible, tasks, options);
  for (const auto& [fabric, members] : fabrics) {
    const auto connectors = by_connector(members, eligible_physical);
    placer.assign(connectors, rails_of(options, fabrics.size(), connectors.size(), tasks.size()));
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
