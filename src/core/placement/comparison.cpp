#include "container_ib/comparison.hpp"

#include <algorithm>
#include <map>

#include "connectors.hpp"
#include "distance.hpp"
#include "flow_costs.hpp"
#include "step_nics.hpp"
#include "task_classes.hpp"

namespace cib {

namespace {

using Indexes = std::vector<std::size_t>;

// The eligible ports and their connectors; indexes count these ports only.
struct Eligible {
  std::vector<Port> ports;
  Indexes origin;  // in Inventory::ports
  std::vector<Indexes> connectors;
  std::vector<std::string> connector_names;
  Indexes connector_of;          // per port
  std::vector<double> capacity;  // per connector
  std::map<std::size_t, std::size_t> by_origin;

  Eligible(const Inventory& node, const std::vector<PortVerdict>& verdicts) {
    std::vector<std::string> physical;
    Indexes all;
    for (const auto& verdict : verdicts) {
      if (!verdict.eligible) continue;
      by_origin.emplace(verdict.port, ports.size());
      all.push_back(ports.size());
      ports.push_back(node.ports[verdict.port]);
      origin.push_back(verdict.port);
      physical.push_back(verdict.connector);
    }
    connectors = by_connector(all, physical);
    connector_of.resize(ports.size());
    for (std::size_t c = 0; c < connectors.size(); ++c) {
      connector_names.push_back(physical[connectors[c].front()]);
      for (const std::size_t port : connectors[c]) connector_of[port] = c;
    }
    capacity = usable_capacities(ports, connectors);
  }
};

// One task's choice. `load` is what the tasks before it have put on each connector.
using Choice = Indexes (*)(const Eligible& eligible, const Indexes& allowed,
                           const std::vector<PortDistance>& distance, const std::vector<double>& load,
                           std::size_t task, std::size_t count);

Indexes choose_nearest(const Eligible&, const Indexes& allowed, const std::vector<PortDistance>& distance,
                       const std::vector<double>&, std::size_t, std::size_t count) {
  Indexes order = allowed;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return distance[a].weight < distance[b].weight; });
  order.resize(std::min(order.size(), count));
  return order;
}

Indexes choose_in_turn(const Eligible&, const Indexes& allowed, const std::vector<PortDistance>&,
                       const std::vector<double>&, std::size_t task, std::size_t count) {
  Indexes chosen;
  for (std::size_t i = 0; i < std::min(count, allowed.size()); ++i)
    chosen.push_back(allowed[(task * count + i) % allowed.size()]);
  return chosen;
}

Indexes choose_greedily(const Eligible& eligible, const Indexes& allowed,
                        const std::vector<PortDistance>& distance, const std::vector<double>& load,
                        std::size_t, std::size_t count) {
  Indexes order = allowed;
  const auto fill = [&](std::size_t port) {
    const std::size_t connector = eligible.connector_of[port];
    return load[connector] / eligible.capacity[connector];
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(distance[a].weight, fill(a)) < std::pair(distance[b].weight, fill(b));
  });
  order.resize(std::min(order.size(), count));
  return order;
}

Choice choice_of(Rule rule) {
  switch (rule) {
    case Rule::nearest:
      return choose_nearest;
    case Rule::round_robin:
      return choose_in_turn;
    case Rule::greedy:
      break;
  }
  return choose_greedily;
}

std::vector<ConnectorLoad> loads_of(const Eligible& eligible, const std::vector<TaskPlacement>& tasks) {
  std::vector<ConnectorLoad> loads(eligible.connectors.size());
  std::size_t units = 0;
  for (const auto& task : tasks)
    for (const std::size_t port : task.ports) {
      ++loads[eligible.connector_of[eligible.by_origin.at(port)]].tasks;
      ++units;
    }
  const double fairest = fairest_fill(eligible.capacity, units);
  for (std::size_t c = 0; c < loads.size(); ++c) {
    loads[c].connector = eligible.connector_names[c];
    if (fairest > 0) loads[c].fill = loads[c].tasks / eligible.capacity[c] / fairest;
  }
  return loads;
}

}  // namespace

std::string_view rule_name(Rule rule) {
  switch (rule) {
    case Rule::nearest:
      return "nearest (UCX)";
    case Rule::round_robin:
      return "round robin";
    case Rule::greedy:
      break;
  }
  return "greedy";
}

std::vector<ConnectorLoad> connector_loads(const Inventory& node, const std::vector<PortVerdict>& verdicts,
                                           const std::vector<TaskPlacement>& tasks) {
  return loads_of(Eligible(node, verdicts), tasks);
}

// What is the same for every rule and every score of one assignment.
struct Comparison::Question {
  const std::vector<LocalTask>& tasks;
  const Assignment& ours;
  Eligible eligible;
  Distances distances;
  std::vector<TaskClass> classes;
  Indexes class_of;                                 // per task
  std::vector<std::vector<PortDistance>> distance;  // per class
  std::vector<Indexes> allowed;                     // per class

  Question(const Inventory& node, const std::vector<LocalTask>& those, const PlacementOptions& options,
           const Assignment& assignment)
      : tasks(those),
        ours(assignment),
        eligible(node, assignment.verdicts),
        distances(node, eligible.ports),
        classes(task_classes(distances, limited(tasks, node), options.use_gpus)),
        class_of(tasks.size()),
        allowed(classes.size()) {
    for (std::size_t k = 0; k < classes.size(); ++k) {
      for (const std::size_t task : classes[k].tasks) class_of[task] = k;
      distance.push_back(distances.to_ports(classes[k].location, classes[k].gpus));
      for (std::size_t port = 0; port < eligible.ports.size(); ++port)
        if (classes[k].allows(eligible.ports[port])) allowed[k].push_back(port);
    }
  }

  static std::vector<LocalTask> limited(const std::vector<LocalTask>& tasks, const Inventory& node) {
    std::vector<std::string> told_already;
    return with_nics_as_ports(tasks, node.ports, told_already);
  }
};

Comparison::Comparison(const Inventory& node, const std::vector<LocalTask>& tasks,
                       const PlacementOptions& options, const Assignment& ours)
    : question_(std::make_unique<const Question>(node, tasks, options, ours)) {}
Comparison::~Comparison() = default;

std::vector<TaskPlacement> Comparison::place_by(Rule rule) const {
  const Question& q = *question_;
  std::vector<double> load(q.eligible.connectors.size());
  std::vector<TaskPlacement> placed;
  for (std::size_t i = 0; i < q.tasks.size(); ++i) {
    const std::size_t k = q.class_of[i];
    const auto chosen =
        choice_of(rule)(q.eligible, q.allowed[k], q.distance[k], load, i, q.ours.tasks[i].ports.size());
    TaskPlacement placement;
    placement.task = q.tasks[i].id;
    for (const std::size_t port : chosen) {
      load[q.eligible.connector_of[port]] += 1;
      placement.ports.push_back(q.eligible.origin[port]);
    }
    if (!chosen.empty()) {
      placement.distance = q.distance[k][chosen.front()].cpu;
      placement.locality = nearness_text(q.distances.locality(q.classes[k].location.weights, chosen.front()));
    }
    placed.push_back(std::move(placement));
  }
  return placed;
}

Score Comparison::score(const std::vector<TaskPlacement>& placed) const {
  const Question& q = *question_;
  Score score;
  score.loads = loads_of(q.eligible, placed);
  for (const auto& load : score.loads) {
    score.overload = std::max(score.overload, load.fill);
    if (load.tasks != 0) ++score.connectors_used;
  }
  double sum = 0;
  std::size_t pairs = 0, far = 0;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const auto location = q.distances.locate(q.tasks[i].mask, q.tasks[i].bound);
    const auto distance = q.distances.to_ports(location, {});
    for (const std::size_t port : placed[i].ports) {
      const std::size_t index = q.eligible.by_origin.at(port);
      sum += distance[index].cpu;
      ++pairs;
      if (q.distances.locality(location.weights, index) == Nearness::other_package) ++far;
    }
  }
  if (pairs == 0) return score;
  score.distance = sum / static_cast<double>(pairs);
  score.other_package = static_cast<double>(far) / static_cast<double>(pairs);
  return score;
}

}  // namespace cib
