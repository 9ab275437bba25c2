#include "flow.hpp"

#include <algorithm>

namespace cib {

namespace {

constexpr std::int64_t infinite = std::int64_t{1} << 61;
constexpr std::int64_t no_move = std::int64_t{1} << 62;  // is infinite also after adding potentials
constexpr std::size_t none = static_cast<std::size_t>(-1);

// Marks a step of a path where instead a unit enters a connector and one of another connector of the same
// slot leaves, so that the slot's load stays.
constexpr std::size_t within_slot = none - 1;

// Successive shortest paths: each unit takes the cheapest way in the residual network of those before it,
// which keeps the flow optimal because all costs are convex. Only connectors are searched; what class and
// slot nodes allow are edges between them. Dijkstra with potentials, ending as soon as the sink is reached.
class Solver {
 public:
  explicit Solver(const Network& network)
      : net_(network),
        count_(network.connectors.size()),
        flow_(network.classes.size(), std::vector<unsigned>(count_)),
        load_(count_),
        exit_cost_(count_),
        slot_load_(network.slot_steps.size()),
        slot_members_(network.slot_steps.size()),
        classes_at_(count_),
        move_cost_(count_ * count_, no_move),
        move_class_(count_ * count_, none),
        potential_(count_),
        distance_(count_),
        parent_(count_),
        via_(count_),
        open_(count_) {
    for (std::size_t c = 0; c < count_; ++c) slot_members_[network.connectors[c].slot].push_back(c);
    find_exit_costs();
  }

  // The classes take turns: one class after the other would first spread over connectors that it then has to
  // give back, with a longer search for each unit.
  Flow solve() && {
    bool sent = true;
    for (unsigned unit = 0; sent; ++unit) {
      sent = false;
      for (std::size_t k = 0; k < net_.classes.size(); ++k) {
        if (unit >= net_.classes[k].units) continue;
        send_one(k);
        sent = true;
      }
    }
    return std::move(flow_);
  }

 private:
  // Of the unit that would make the connector's load `load`.
  std::int64_t unit_cost(std::size_t c, unsigned load) const {
    const auto& connector = net_.connectors[c];
    return connector.step * (2 * std::int64_t{load} - 1) + (load > connector.limit ? net_.penalty : 0) +
           (load > connector.capacity ? Network::over_capacity : 0);
  }
  // From each connector to the sink, at its present load.
  void find_exit_costs() {
    for (std::size_t c = 0; c < count_; ++c) {
      const std::size_t slot = net_.connectors[c].slot;
      exit_cost_[c] =
          unit_cost(c, load_[c] + 1) + net_.slot_steps[slot] * (2 * std::int64_t{slot_load_[slot]} + 1);
    }
  }
  bool can_take(std::size_t k, std::size_t c) const {
    return net_.classes[k].cost[c] != Network::forbidden && flow_[k][c] < net_.classes[k].tasks;
  }

  // A settled connector is never improved, so only the open ones are written.
  void relax_from(std::size_t from) {
    const std::int64_t base = distance_[from] + potential_[from];
    const std::int64_t* cost = &move_cost_[from * count_];
    const auto improve = [&](std::size_t to, std::int64_t distance, std::size_t via) {
      distance_[to] = open_[to] = distance;
      parent_[to] = from;
      via_[to] = via;
    };
    for (std::size_t to = 0; to < count_; ++to) {
      const std::int64_t distance = base + cost[to] - potential_[to];
      if (distance < distance_[to]) improve(to, distance, move_class_[from * count_ + to]);
    }
    const std::int64_t enter = unit_cost(from, load_[from] + 1);
    for (const std::size_t to : slot_members_[net_.connectors[from].slot]) {
      if (to == from || load_[to] == 0) continue;
      const std::int64_t distance = base + enter - unit_cost(to, load_[to]) - potential_[to];
      if (distance < distance_[to]) improve(to, distance, within_slot);
    }
  }

  // Reduced cost of leaving from a connector to the sink; never negative.
  std::int64_t leave_cost(std::size_t c) const { return exit_cost_[c] + potential_[c] - sink_potential_; }

  // The connector from which a unit of class k leaves to the sink; parent_ leads back to where it enters.
  std::size_t search(std::size_t k) {
    std::int64_t sink = infinite, least_leave = infinite;
    std::size_t last = none;
    const auto leave_from = [&](std::size_t c) {
      const std::int64_t distance = distance_[c] + leave_cost(c);
      if (distance >= sink) return;
      sink = distance;
      last = c;
    };
    for (std::size_t c = 0; c < count_; ++c) {
      const bool entry = can_take(k, c);
      distance_[c] = entry ? net_.classes[k].cost[c] - potential_[c] : infinite;
      open_[c] = distance_[c];
      parent_[c] = none;
      if (entry) leave_from(c);
      least_leave = std::min(least_leave, leave_cost(c));
    }
    // From wherever a path is continued, leaving costs at least that much more, so the search can end early.
    for (;;) {
      std::size_t nearest = none;
      std::int64_t least = sink - least_leave;
      for (std::size_t c = 0; c < count_; ++c)
        if (open_[c] < least) least = open_[nearest = c];
      if (nearest == none) break;
      open_[nearest] = infinite;
      leave_from(nearest);
      relax_from(nearest);
    }
    if (last == none) return none;
    for (std::size_t c = 0; c < count_; ++c) potential_[c] += std::min(distance_[c], sink - least_leave);
    sink_potential_ += sink;
    return last;
  }

  void change(std::size_t k, std::size_t c, int by) {
    auto& flow = flow_[k][c];
    auto& here = classes_at_[c];
    if (by > 0 && flow++ == 0) {
      here.push_back(k);
      add_moves(c, k);
    }
    if (by < 0 && --flow == 0) {
      here.erase(std::find(here.begin(), here.end(), k));
      for (std::size_t to = 0; to < count_; ++to)
        if (move_class_[c * count_ + to] == k) find_move(c, to);
    }
  }

  void send_one(std::size_t k) {
    std::size_t c = search(k);
    if (c == none) return;  // no allowed connector is left
    std::vector<std::size_t> changed{k};
    ++load_[c];
    ++slot_load_[net_.connectors[c].slot];
    for (; parent_[c] != none; c = parent_[c]) {
      const std::size_t before = parent_[c];
      if (via_[c] == within_slot) {
        ++load_[before];
        --load_[c];
      } else {
        change(via_[c], before, -1);
        change(via_[c], c, +1);
        changed.push_back(via_[c]);
      }
    }
    change(k, c, +1);
    find_exit_costs();
    for (const std::size_t changed_class : changed)
      if (may_fill(changed_class)) find_moves_of(changed_class);
  }

  // With several units per task a connector can have as many units of the class as it may, and others
  // elsewhere that can then not move there.
  bool may_fill(std::size_t k) const { return net_.classes[k].units > net_.classes[k].tasks; }

  void find_moves_of(std::size_t k) {
    for (std::size_t from = 0; from < count_; ++from)
      if (flow_[k][from] > 0)
        for (std::size_t to = 0; to < count_; ++to) find_move(from, to);
  }

  void find_move(std::size_t from, std::size_t to) {
    move_cost_[from * count_ + to] = no_move;
    move_class_[from * count_ + to] = none;
    for (const std::size_t k : classes_at_[from]) offer(k, from, to);
  }

  void add_moves(std::size_t from, std::size_t k) {
    for (std::size_t to = 0; to < count_; ++to) offer(k, from, to);
  }

  void offer(std::size_t k, std::size_t from, std::size_t to) {
    const auto& cost = net_.classes[k].cost;
    if (cost[to] == Network::forbidden || to == from) return;
    if (may_fill(k) && !can_take(k, to)) return;
    const std::size_t move = from * count_ + to;
    if (cost[to] - cost[from] >= move_cost_[move]) return;
    move_cost_[move] = cost[to] - cost[from];
    move_class_[move] = k;
  }

  const Network& net_;
  std::size_t count_;
  Flow flow_;
  std::vector<unsigned> load_;
  std::vector<std::int64_t> exit_cost_;
  std::vector<unsigned> slot_load_;
  std::vector<std::vector<std::size_t>> slot_members_;
  std::vector<std::vector<std::size_t>> classes_at_;  // classes with flow, per connector
  // The cheapest way for a unit at one connector to go to another, and the class of that unit; [from][to].
  std::vector<std::int64_t> move_cost_;
  std::vector<std::size_t> move_class_;
  std::vector<std::int64_t> potential_, distance_;
  std::int64_t sink_potential_ = 0;
  std::vector<std::size_t> parent_, via_;
  std::vector<std::int64_t> open_;  // distances of connectors that are not settled
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
      cost += flow[k][c] * static_cast<double>(network.classes[k].cost[c]);
    }
    cost += static_cast<double>(network.connectors[c].step) * load * load;
    cost += static_cast<double>(network.penalty) * std::max(0.0, load - network.connectors[c].limit);
    cost +=
        static_cast<double>(Network::over_capacity) * std::max(0.0, load - network.connectors[c].capacity);
    slot_load[network.connectors[c].slot] += load;
  }
  for (std::size_t s = 0; s < slot_load.size(); ++s)
    cost += static_cast<double>(network.slot_steps[s]) * slot_load[s] * slot_load[s];
  return cost;
}

}  // namespace cib
