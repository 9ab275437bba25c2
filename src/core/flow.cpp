#include "flow.hpp"

#include <algorithm>

namespace cib {

namespace {

constexpr std::int64_t infinite = std::int64_t{1} << 61;
constexpr std::size_t none = static_cast<std::size_t>(-1);

// Successive shortest paths: each unit takes the cheapest way in the residual network of those before it,
// which keeps the flow optimal because all costs are convex. Class nodes are not searched: what they allow,
// moving a unit of a class from one connector to another, is an edge between the connectors. Dijkstra with
// potentials over connectors [0, C) and slots [C, C + S), ending as soon as the sink is reached.
class Solver {
 public:
  explicit Solver(const Network& network)
      : net_(network),
        connectors_(network.connectors.size()),
        nodes_(connectors_ + network.slot_steps.size()),
        flow_(network.classes.size(), std::vector<unsigned>(connectors_)),
        load_(nodes_),
        classes_at_(connectors_),
        in_slot_(network.slot_steps.size()),
        potential_(nodes_),
        distance_(nodes_),
        parent_(nodes_),
        via_class_(nodes_),
        settled_(nodes_) {
    for (std::size_t c = 0; c < connectors_; ++c) in_slot_[network.connectors[c].slot].push_back(c);
  }

  Flow solve() && {
    for (std::size_t k = 0; k < net_.classes.size(); ++k)
      for (unsigned unit = 0; unit < net_.classes[k].units; ++unit) send_one(k);
    return std::move(flow_);
  }

 private:
  // Of the unit that would make the load of the node `load`.
  std::int64_t unit_cost(std::size_t node, unsigned load) const {
    const std::int64_t q = 2 * std::int64_t{load} - 1;
    if (node >= connectors_) return net_.slot_steps[node - connectors_] * q;
    const auto& connector = net_.connectors[node];
    return connector.step * q + (load > connector.limit ? net_.penalty : 0);
  }
  std::int64_t next_cost(std::size_t node) const { return unit_cost(node, load_[node] + 1); }
  std::int64_t last_cost(std::size_t node) const { return unit_cost(node, load_[node]); }
  bool can_take(std::size_t k, std::size_t connector) const {
    return net_.classes[k].cost[connector] != Network::forbidden &&
           flow_[k][connector] < net_.classes[k].tasks;
  }

  void relax(std::size_t from, std::size_t to, std::int64_t cost, std::size_t via) {
    if (settled_[to] != 0) return;
    const std::int64_t distance = distance_[from] + cost + potential_[from] - potential_[to];
    if (distance >= distance_[to]) return;
    distance_[to] = distance;
    parent_[to] = from;
    via_class_[to] = via;
  }

  void relax_from_connector(std::size_t from) {
    relax(from, connectors_ + net_.connectors[from].slot, next_cost(from), none);
    for (const std::size_t k : classes_at_[from]) {
      const auto& cost = net_.classes[k].cost;
      for (std::size_t to = 0; to < connectors_; ++to)
        if (to != from && can_take(k, to)) relax(from, to, cost[to] - cost[from], k);
    }
  }

  // A unit that enters a full slot may push out one of another connector of the slot.
  void relax_from_slot(std::size_t from) {
    for (const std::size_t to : in_slot_[from - connectors_])
      if (load_[to] > 0) relax(from, to, -last_cost(to), none);
  }

  // Returns the slot that the path ends in.
  std::size_t search(std::size_t k) {
    std::fill(distance_.begin(), distance_.end(), infinite);
    std::fill(parent_.begin(), parent_.end(), none);
    std::fill(settled_.begin(), settled_.end(), 0);
    for (std::size_t c = 0; c < connectors_; ++c)
      if (can_take(k, c)) distance_[c] = net_.classes[k].cost[c] - potential_[c];

    std::int64_t sink = infinite;
    std::size_t last = none;
    for (;;) {
      std::size_t nearest = none;
      for (std::size_t node = 0; node < nodes_; ++node)
        if (settled_[node] == 0 && distance_[node] < (nearest == none ? sink : distance_[nearest]))
          nearest = node;
      if (nearest == none) break;
      settled_[nearest] = 1;
      if (nearest < connectors_) {
        relax_from_connector(nearest);
        continue;
      }
      const std::int64_t through =
          distance_[nearest] + next_cost(nearest) + potential_[nearest] - sink_potential_;
      if (through < sink) {
        sink = through;
        last = nearest;
      }
      relax_from_slot(nearest);
    }
    if (last == none) return last;
    for (std::size_t node = 0; node < nodes_; ++node) potential_[node] += std::min(distance_[node], sink);
    sink_potential_ += sink;
    return last;
  }

  void change(std::size_t k, std::size_t connector, int by) {
    auto& flow = flow_[k][connector];
    auto& here = classes_at_[connector];
    if (by > 0 && flow++ == 0) here.push_back(k);
    if (by < 0 && --flow == 0) here.erase(std::find(here.begin(), here.end(), k));
  }

  void send_one(std::size_t k) {
    std::size_t node = search(k);
    if (node == none) return;  // no allowed connector is left
    ++load_[node];
    for (;;) {
      const std::size_t before = parent_[node];
      if (before == none) break;
      if (node >= connectors_) {
        ++load_[before];
      } else if (before >= connectors_) {
        --load_[node];
      } else {
        change(via_class_[node], before, -1);
        change(via_class_[node], node, +1);
      }
      node = before;
    }
    change(k, node, +1);
  }

  const Network& net_;
  std::size_t connectors_, nodes_;
  Flow flow_;
  std::vector<unsigned> load_;
  std::vector<std::vector<std::size_t>> classes_at_;  // classes with flow, per connector
  std::vector<std::vector<std::size_t>> in_slot_;
  std::vector<std::int64_t> potential_, distance_;
  std::int64_t sink_potential_ = 0;
  std::vector<std::size_t> parent_, via_class_;
  std::vector<char> settled_;
};

}  // namespace

Flow min_cost_flow(const Network& network) { return Solver(network).solve(); }

double flow_cost(const Network& network, const Flow& flow) {
  double cost = 0;
  std::vector<double> slot_load(network.slot_steps.size());
  for (std::size_t c = 0; c < network.connectors.size(); ++c) {
    double load = 0;
    for (std::size_t k = 0; k < flow.size(); ++k) {
      load += flow[k][c];
      if (flow[k][c] > 0) cost += flow[k][c] * static_cast<double>(network.classes[k].cost[c]);
    }
    cost += static_cast<double>(network.connectors[c].step) * load * load;
    cost += static_cast<double>(network.penalty) * std::max(0.0, load - network.connectors[c].limit);
    slot_load[network.connectors[c].slot] += load;
  }
  for (std::size_t s = 0; s < slot_load.size(); ++s)
    cost += static_cast<double>(network.slot_steps[s]) * slot_load[s] * slot_load[s];
  return cost;
}

}  // namespace cib
