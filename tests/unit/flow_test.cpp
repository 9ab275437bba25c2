// The solver against every possible assignment, on small random networks with fixed seeds.
#include "core/placement/flow.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace cib {
namespace {

std::vector<unsigned> sent(const Network& network, const Flow& flow) {
  std::vector<unsigned> units;
  for (std::size_t k = 0; k < network.classes.size(); ++k)
    units.push_back(std::accumulate(flow[k].begin(), flow[k].end(), 0U));
  return units;
}

void expect_feasible(const Network& network, const Flow& flow) {
  for (std::size_t k = 0; k < network.classes.size(); ++k) {
    EXPECT_EQ(sent(network, flow)[k], network.classes[k].units);
    for (std::size_t c = 0; c < network.connectors.size(); ++c) {
      EXPECT_LE(flow[k][c], network.classes[k].tasks);
      if (network.classes[k].cost[c] == Network::forbidden) {
        EXPECT_EQ(flow[k][c], 0U);
      }
    }
  }
}

// Tries all ways to split the units of class k from connector c on.
void try_all(const Network& network, Flow& flow, std::size_t k, std::size_t c, unsigned left, double& best) {
  if (k == network.classes.size()) {
    best = std::min(best, flow_cost(network, flow));
    return;
  }
  if (c == network.connectors.size()) {
    const std::size_t next = k + 1;
    if (left == 0)
      try_all(network, flow, next, 0, next < network.classes.size() ? network.classes[next].units : 0, best);
    return;
  }
  const bool allowed = network.classes[k].cost[c] != Network::forbidden;
  const unsigned most = allowed ? std::min(left, network.classes[k].tasks) : 0;
  for (unsigned units = 0; units <= most; ++units) {
    flow[k][c] = units;
    try_all(network, flow, k, c + 1, left - units, best);
  }
  flow[k][c] = 0;
}

double brute_force(const Network& network) {
  Flow flow(network.classes.size(), std::vector<unsigned>(network.connectors.size()));
  double best = std::numeric_limits<double>::infinity();
  try_all(network, flow, 0, 0, network.classes.empty() ? 0 : network.classes[0].units, best);
  return best;
}

class RandomNetwork {
 public:
  explicit RandomNetwork(unsigned seed) : random_(seed) {}

  Network make() {
    Network network;
    const auto connectors = number(1, 4), slots = number(1, 3), classes = number(1, 3);
    for (std::int64_t s = 0; s < slots; ++s) network.slot_steps.push_back(number(0, 1) * number(0, 40));
    for (std::int64_t c = 0; c < connectors; ++c)
      network.connectors.push_back({static_cast<std::size_t>(number(0, slots - 1)),
                                    number(0, 1) * number(0, 40), static_cast<unsigned>(number(0, 5))});
    network.penalty = number(0, 1) * number(0, 200);
    for (std::int64_t k = 0; k < classes; ++k) {
      Network::Class task_class;
      task_class.tasks = static_cast<unsigned>(number(0, 4));
      unsigned allowed = 0;
      for (std::int64_t c = 0; c < connectors; ++c) {
        const bool forbidden = number(0, 5) == 0;
        task_class.cost.push_back(forbidden ? Network::forbidden : number(0, 60));
        if (!forbidden) ++allowed;
      }
      const auto rails = static_cast<unsigned>(number(1, 3));
      task_class.units = task_class.tasks * std::min(rails, allowed);
      network.classes.push_back(task_class);
    }
    return network;
  }

 private:
  std::int64_t number(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_() % static_cast<unsigned>(high - low + 1));
  }
  std::mt19937 random_;  // same numbers everywhere, unlike the distributions
};

TEST(MinCostFlow, IsAsGoodAsTheBestOfAllAssignments) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    const Network network = RandomNetwork(seed).make();
    const Flow flow = min_cost_flow(network);
    expect_feasible(network, flow);
    ASSERT_EQ(flow_cost(network, flow), brute_force(network)) << "seed " << seed;
  }
}

TEST(MinCostFlow, WhatThereIsNoRoomForIsNotSent) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Network network = RandomNetwork(seed).make();
    for (auto& task_class : network.classes) {
      const auto room = std::count_if(task_class.cost.begin(), task_class.cost.end(),
                                      [](std::int64_t cost) { return cost != Network::forbidden; });
      task_class.units = task_class.tasks * static_cast<unsigned>(room);
    }
    const Flow full = min_cost_flow(network);
    expect_feasible(network, full);
    for (auto& task_class : network.classes) task_class.units += 2;
    EXPECT_EQ(min_cost_flow(network), full) << "seed " << seed;
  }
}

TEST(MinCostFlow, ADistantTaskMakesRoomForANearerOne) {
  // Greedy would put class 0 on connector 0 and class 1 on the only other one, 50 away.
  Network network;
  network.slot_steps = {0, 0};
  network.connectors = {{.slot = 0, .step = 100}, {.slot = 1, .step = 100}};
  network.classes = {{1, 1, {0, 1}}, {1, 1, {0, 50}}};
  EXPECT_EQ(min_cost_flow(network), (Flow{{0, 1}, {1, 0}}));
}

TEST(MinCostFlow, ASlowSlotTakesFewer) {
  Network network;
  network.slot_steps = {30, 0};
  network.connectors = {{.slot = 0, .step = 10}, {.slot = 0, .step = 10}, {.slot = 1, .step = 10}};
  network.classes = {{9, 9, {0, 0, 0}}};
  const Flow flow = min_cost_flow(network);
  EXPECT_EQ(flow[0][0] + flow[0][1], 2U);
  EXPECT_EQ(flow[0][2], 7U);
  EXPECT_EQ(flow_cost(network, {{1, 1, 7}}), 10 * (1 + 1 + 49) + 30 * 4);
}

TEST(MinCostFlow, NoConnectorsOrClassesIsNoFlow) {
  EXPECT_TRUE(min_cost_flow({}).empty());
  Network network;
  network.classes = {{3, 0, {}}};
  EXPECT_EQ(min_cost_flow(network), (Flow{{}}));
}

}  // namespace
}  // namespace cib
