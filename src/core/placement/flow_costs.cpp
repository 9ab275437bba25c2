#include "flow_costs.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>

#include "connectors.hpp"
#include "eligibility.hpp"

namespace cib {

namespace {

// balanced: minimise  sum of distance + 100 beta * sum over connectors of load^2 C/(c n)  where c is the
// connector's capacity, C the node's and n the number of units. A task goes D SLIT units farther once the
// near port is D/(2 beta) fair shares fuller: 0.1 for a neighbour in the package, 0.55 and more for the
// other.
constexpr double beta = 10;

// How much fuller than in the fairest distribution a connector may become where load is limited.
constexpr double load_limit = 1.25;

// Ties: every arc adds less than the number of connectors (256), for at most 2^12 units.
constexpr std::int64_t unit = std::int64_t{1} << 20;
// nearest and spread put one of distance and load wholly above the other, and a load limit is above both.
// Relative capacities are then written in 16ths.
constexpr std::int64_t above = std::int64_t{1} << 38;
constexpr std::int64_t above_all = std::int64_t{1} << 46;
constexpr double capacity_parts = 16;

constexpr double max_step = 0x1p59;

using Indexes = std::vector<std::size_t>;

std::int64_t step_of(double inverse_capacity, double total, double largest, const FlowCostOptions& options) {
  const auto units = static_cast<double>(std::max<std::size_t>(options.units, 1));
  double step = 0;
  switch (options.place) {
    case Place::balanced:
      step = 100 * beta * total * inverse_capacity / units * static_cast<double>(unit);
      break;
    case Place::nearest:
      step = std::round(capacity_parts * largest * inverse_capacity) * static_cast<double>(unit);
      break;
    case Place::spread:
      step = std::round(capacity_parts * largest * inverse_capacity) * static_cast<double>(above);
      break;
  }
  // A path compares steps times up to twice the load.
  return std::llround(std::min(step, max_step / (2 * units + 1)));
}

struct Capacities {
  std::vector<double> of;  // per connector, in Gb/s or, when a rate is unknown, relative
  double largest = 1;      // no known rate is below 1
  bool known = true;
};

Capacities capacities(const std::vector<Port>& ports, const std::vector<Indexes>& connectors) {
  Capacities capacity;
  for (const auto& members : connectors) {
    double rate = 0;
    for (const std::size_t port : members) rate = std::max(rate, usable_rate(ports[port]));
    capacity.of.push_back(rate);
    capacity.known = capacity.known && rate > 0;
    capacity.largest = std::max(capacity.largest, rate);
  }
  for (double& rate : capacity.of)
    if (rate == 0) rate = capacity.largest;
  return capacity;
}

struct Slot {
  double capacity = 0;  // of its connectors together
  double link = 0;      // of the PCIe link; 0: unknown
  bool limits = false;  // the link is slower than the connectors together

  double usable() const { return limits ? link : capacity; }
  // Where the link limits, the cost of load L becomes L^2/link instead of L^2/capacity. The difference is
  // what the slot adds to its connectors' own costs.
  double extra_inverse() const { return limits ? 1 / link - 1 / capacity : 0; }
};

// Also enters into each connector which slot it is in.
std::vector<Slot> slots_of(const std::vector<Port>& ports, const std::vector<Indexes>& connectors,
                           const Capacities& capacity, Network& network) {
  std::vector<Slot> slots;
  std::map<std::string, std::size_t> known;
  for (std::size_t c = 0; c < connectors.size(); ++c) {
    // A connector that shows in several slots belongs to none of them.
    std::string name = pci_slot_name(ports[connectors[c].front()]);
    double link = 0;
    for (const std::size_t port : connectors[c]) {
      if (pci_slot_name(ports[port]) != name) name.clear();
      if (std::isfinite(ports[port].pci_gbps)) link = std::max(link, ports[port].pci_gbps);
    }
    if (name.empty()) name = "connector " + std::to_string(c);
    const auto [entry, is_new] = known.emplace(name, slots.size());
    if (is_new) slots.emplace_back();
    Slot& slot = slots[entry->second];
    slot.capacity += capacity.of[c];
    slot.link = std::max(slot.link, link);
    network.connectors.push_back({.slot = entry->second});
  }
  for (auto& slot : slots) slot.limits = capacity.known && slot.link > 0 && slot.link < slot.capacity;
  return slots;
}

std::vector<double> behind_slots(const Network& network, const std::vector<Slot>& slots,
                                 std::vector<double> capacity) {
  for (std::size_t c = 0; c < capacity.size(); ++c) {
    const Slot& slot = slots[network.connectors[c].slot];
    capacity[c] *= slot.usable() / slot.capacity;
  }
  return capacity;
}

void limit_load(Network& network, const std::vector<double>& capacity, std::size_t units) {
  const double fill = load_limit * fairest_fill(capacity, units);
  constexpr double rounding = 1e-9;
  for (std::size_t c = 0; c < capacity.size(); ++c)
    network.connectors[c].limit = static_cast<unsigned>(std::min(fill * capacity[c] + rounding, 1e9));
  network.penalty = above_all;
}

}  // namespace

double fairest_fill(const std::vector<double>& capacity, std::size_t units) {
  using Entry = std::pair<double, std::size_t>;  // fill after one more unit, connector
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> next;
  for (std::size_t c = 0; c < capacity.size(); ++c) next.emplace(1 / capacity[c], c);
  double fill = 0;
  for (std::size_t i = 0; i < units && !next.empty(); ++i) {
    const auto [after, c] = next.top();
    next.pop();
    fill = std::max(fill, after);
    next.emplace(after + 1 / capacity[c], c);
  }
  return fill;
}

std::vector<double> usable_capacities(const std::vector<Port>& ports,
                                      const std::vector<Indexes>& connectors) {
  Network network;
  const Capacities capacity = capacities(ports, connectors);
  const auto slots = slots_of(ports, connectors, capacity, network);
  return behind_slots(network, slots, capacity.of);
}

std::int64_t distance_cost(unsigned distance, Place place) {
  return std::int64_t{distance} * (place == Place::nearest ? above : unit);
}

Network connector_network(const std::vector<Port>& ports, const std::vector<Indexes>& connectors,
                          const FlowCostOptions& options) {
  Network network;
  const Capacities capacity = capacities(ports, connectors);
  const auto slots = slots_of(ports, connectors, capacity, network);
  double total = 0;
  for (const auto& slot : slots) total += slot.usable();
  for (std::size_t c = 0; c < connectors.size(); ++c)
    network.connectors[c].step = step_of(1 / capacity.of[c], total, capacity.largest, options);
  for (const auto& slot : slots)
    network.slot_steps.push_back(step_of(slot.extra_inverse(), total, capacity.largest, options));
  if (options.place == Place::balanced && options.limit_load)
    limit_load(network, behind_slots(network, slots, capacity.of), options.units);
  return network;
}

}  // namespace cib
