// The costs of the assignment network: what a unit of distance and what load weighs, for each `place`.
#pragma once

#include <cstdint>
#include <vector>

#include "container_ib/model.hpp"
#include "container_ib/request.hpp"
#include "flow.hpp"

namespace cib {

// Leaves room below for breaking ties: less than one unit of distance or load decides nothing else.
std::int64_t distance_cost(unsigned distance, Place place);

struct FlowCostOptions {
  Place place = Place::balanced;
  std::size_t units = 0;    // ports that all tasks together will use
  bool limit_load = false;  // hold balanced connectors near their fair share, however far the others are
};

// Connectors and slots with their steps; no classes yet. `connectors` lists indexes in `ports`.
Network connector_network(const std::vector<Port>& ports,
                          const std::vector<std::vector<std::size_t>>& connectors,
                          const FlowCostOptions& options);

// What each connector can carry in Gb/s or, when a rate is unknown, relative to the others: its rate, or its
// part of a slot that is slower than the connectors behind it.
std::vector<double> usable_capacities(const std::vector<Port>& ports,
                                      const std::vector<std::vector<std::size_t>>& connectors);

// The fullest connector's load relative to its capacity when units go one by one to the emptiest.
double fairest_fill(const std::vector<double>& capacity, std::size_t units);

}  // namespace cib
