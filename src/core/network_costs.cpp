#include "network_costs.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "eligibility.hpp"
#include "physical_ports.hpp"

namespace cib {

namespace {

// balanced: minimise  sum of distance + 100 beta * sum over connectors of load^2 C/(c n)  where c is the
// connector's capacity, C the node's and n the number of units. A task goes D SLIT units farther once the
// near port is D/(2 beta) fair shares fuller: 0.1 for a neighbour in the package, 0.55 and more for the
// other.
constexpr double beta = 10;

// Ties: every arc adds less than the number of connectors (256), for at most 2^12 units.
constexpr std::int64_t unit = std::int64_t{1} << 20;
// nearest and spread put one of distance and load wholly above the other. Relative capacities are then
// written in 16ths.
constexpr std::int64_t above = std::int64_t{1} << 38;
constexpr double capacity_parts = 16;

constexpr double max_step = 0x1p59;

std::int64_t step_of(double inverse_capacity, double total, double largest, Place place, std::size_t units) {
  double step = 0;
  switch (place) {
    case Place::balanced:
      step = 100 * beta * total * inverse_capacity / static_cast<double>(units) * static_cast<double>(unit);
      break;
    case Place::nearest:
      step = std::round(capacity_parts * largest * inverse_capacity) * static_cast<double>(unit);
      break;
    case Place::spread:
      step = std::round(capacity_parts * largest * inverse_capacity) * static_cast<double>(above);
      break;
  }
  // A path compares steps times up to twice the load.
  return std::llround(std::min(step, max_step / (2 * static_cast<double>(units) + 1)));
}

struct Slot {
  double capacity = 0;  // of its connectors together
  double link = 0;      // of the PCIe link; 0: unknown, or no limit
};

}  // namespace

std::int64_t distance_cost(unsigned distance, Place place) {
  return std::int64_t{distance} * (place == Place::nearest ? above : unit);
}

Network connector_network(const std::vector<Port>& ports,
                          const std::vector<std::vector<std::size_t>>& connectors, Place place,
                          std::size_t units) {
  std::vector<double> capacity;
  double largest = 0;
  for (const auto& members : connectors) {
    double rate = 0;
    for (const std::size_t port : members) rate = std::max(rate, usable_rate(ports[port]));
    capacity.push_back(rate);
    largest = std::max(largest, rate);
  }
  const bool rates_known =
      std::all_of(capacity.begin(), capacity.end(), [](double rate) { return rate > 0; });
  if (largest == 0) largest = 1;
  for (double& rate : capacity)
    if (rate == 0) rate = largest;

  Network network;
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
    slots[entry->second].capacity += capacity[c];
    slots[entry->second].link = std::max(slots[entry->second].link, link);
    network.connectors.push_back({entry->second, 0});
  }

  // Where the slot's link is slower than its connectors together, the cost of load L becomes L^2/link instead
  // of L^2/capacity. The difference is what the slot adds to its connectors' own costs.
  double total = 0;
  std::vector<double> extra;
  for (const auto& slot : slots) {
    const bool limits = rates_known && slot.link > 0 && slot.link < slot.capacity;
    total += limits ? slot.link : slot.capacity;
    extra.push_back(limits ? 1 / slot.link - 1 / slot.capacity : 0);
  }
  for (std::size_t c = 0; c < connectors.size(); ++c)
    network.connectors[c].step = step_of(1 / capacity[c], total, largest, place, units);
  for (const double inverse : extra)
    network.slot_steps.push_back(step_of(inverse, total, largest, place, units));
  return network;
}

}  // namespace cib
