// The assignment problem as a minimum-cost flow with convex costs, and its exact solution.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace cib {

// Classes of like tasks send units to connectors, these to slots, these to the sink. The q-th unit through a
// connector or slot costs (2q-1) times its step, so that the sum over all units grows with the square of the
// load; beyond a connector's `limit` each also costs `penalty`, and beyond its `capacity` more than anything
// else may: so many units are only sent there when there is no room at all.
struct Network {
  static constexpr std::int64_t forbidden = std::numeric_limits<std::int64_t>::max();

  struct Class {
    unsigned tasks = 0;              // also the capacity towards each connector: one unit a task
    unsigned units = 0;              // to send, as far as there is room
    std::vector<std::int64_t> cost;  // per connector, >= 0, or forbidden
  };
  struct Connector {
    std::size_t slot = 0;
    std::int64_t step = 0;
    unsigned limit = std::numeric_limits<unsigned>::max();
    unsigned capacity = std::numeric_limits<unsigned>::max();
  };
  static constexpr std::int64_t over_capacity = std::int64_t{1} << 57;

  std::vector<Class> classes;
  std::vector<Connector> connectors;
  std::vector<std::int64_t> slot_steps;
  std::int64_t penalty = 0;
};

// Units from each class to each connector. Of every class all are sent, or one for each task and allowed
// connector. Exact for costs below 2^58.
using Flow = std::vector<std::vector<unsigned>>;
Flow min_cost_flow(const Network& network);

// What a flow costs; may round, for reports and tests.
double flow_cost(const Network& network, const Flow& flow);

}  // namespace cib
