#include "container_ib/comparison.hpp"

#include <gtest/gtest.h>

#include "container_ib/nearness.hpp"
#include "support/node_builder.hpp"

namespace cib {
namespace {

using test::port;
using test::tasks_on;

// Four NUMA nodes in two packages; two ports near NUMA node 0, one near NUMA node 2.
Inventory lopsided() {
  Inventory node = test::numa_node(2, 2);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0}),
                port("mlx5_2", "0000:86:00.0", {2})};
  return node;
}

std::string placed_by(Rule rule, const Inventory& node, const std::vector<LocalTask>& tasks,
                      const PlacementOptions& options = test::one_rail()) {
  Assignment assignment = place(node, tasks, options);
  assignment.tasks = Comparison(node, tasks, options, assignment).place_by(rule);
  return test::ports_text(node, assignment);
}

TEST(OtherRules, NearestPilesOnTheFirstOfSeveral) {
  EXPECT_EQ(placed_by(Rule::nearest, lopsided(), tasks_on({0, 1, 8, 9})),
            "mlx5_0:1 mlx5_0:1 mlx5_2:1 mlx5_2:1");
}

TEST(OtherRules, RoundRobinDoesNotLookAtDistance) {
  EXPECT_EQ(placed_by(Rule::round_robin, lopsided(), tasks_on({8, 8, 0, 0})),
            "mlx5_0:1 mlx5_1:1 mlx5_2:1 mlx5_0:1");
}

TEST(OtherRules, GreedyLooksAtLoadAmongTheNearestOnly) {
  EXPECT_EQ(placed_by(Rule::greedy, lopsided(), tasks_on({0, 1, 2, 8})),
            "mlx5_0:1 mlx5_1:1 mlx5_0:1 mlx5_2:1");
}

TEST(OtherRules, GiveAsManyPortsAndOnlyAllowedOnes) {
  auto options = test::one_rail();
  options.rails = 2;
  EXPECT_EQ(placed_by(Rule::nearest, lopsided(), tasks_on({8}), options), "mlx5_2:1,mlx5_0:1");
  EXPECT_EQ(placed_by(Rule::round_robin, lopsided(), tasks_on({0, 0}), options),
            "mlx5_0:1,mlx5_1:1 mlx5_2:1,mlx5_0:1");
  auto node = lopsided();
  node.ports[0].state = PortState::down;
  auto tasks = tasks_on({0, 0});
  tasks[1].allowed_nics = {"mlx5_2"};
  for (const Rule rule : all_rules) EXPECT_EQ(placed_by(rule, node, tasks), "mlx5_1:1 mlx5_2:1");
  tasks[1].allowed_nics = {"mlx5_9"};
  for (const Rule rule : all_rules)
    EXPECT_NE(placed_by(rule, node, tasks), "mlx5_1:1 -") << "of none of the node's";
  tasks[1].allowed_nics = {"mlx5_0"};
  for (const Rule rule : all_rules)
    EXPECT_EQ(placed_by(rule, node, tasks), "mlx5_1:1 -") << "of one that is down";
}

TEST(Score, ComparesLoadWithTheFairestPossible) {
  const auto node = lopsided();
  const auto tasks = tasks_on({0, 1, 2, 3, 8, 9});  // six tasks for three equal ports: two each is fair
  const auto ours = place(node, tasks, test::one_rail());
  const Comparison comparison(node, tasks, test::one_rail(), ours);
  const Score best = comparison.score(ours.tasks);
  EXPECT_DOUBLE_EQ(best.overload, 1);
  EXPECT_DOUBLE_EQ(best.distance, 1000);
  EXPECT_EQ(best.connectors_used, 3U);
  const Score worse = comparison.score(comparison.place_by(Rule::nearest));
  EXPECT_DOUBLE_EQ(worse.overload, 2) << "four on one port";
  EXPECT_EQ(worse.connectors_used, 2U);
  EXPECT_EQ(worse.loads.size(), 3U);
  const auto three = tasks_on({0, 0, 0});
  const auto near = place(node, three, test::one_rail());
  const Comparison of_three(node, three, test::one_rail(), near);
  EXPECT_NEAR(of_three.score(of_three.place_by(Rule::round_robin)).other_package, 1.0 / 3, 1e-9);
}

TEST(Score, CountsConnectorsAndTheirSpeed) {
  Inventory node = test::numa_node(1);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0}),
                port("mlx5_2", "0000:1a:00.0", {0})};
  node.ports[0].rate_gbps = 100;
  node.ports[1].sys_image_guid = node.ports[2].sys_image_guid = 0x506b4b0300abcdef;
  const auto tasks = tasks_on({0, 0, 0});
  const auto ours = place(node, tasks, test::one_rail());
  const auto loads = connector_loads(node, ours.verdicts, ours.tasks);
  ASSERT_EQ(loads.size(), 2U) << "a card in two slots has one connector";
  EXPECT_EQ(loads[0].tasks, 1U);
  EXPECT_EQ(loads[1].tasks, 2U);
  EXPECT_DOUBLE_EQ(loads[0].fill, 1);
  EXPECT_DOUBLE_EQ(loads[1].fill, 1) << "twice as many on twice the speed";
}

TEST(Score, OfNothingIsNothing) {
  const Inventory node = test::numa_node(1);
  const auto tasks = tasks_on({0});
  const auto ours = place(node, tasks, {});
  const Comparison comparison(node, tasks, {}, ours);
  EXPECT_EQ(comparison.score(ours.tasks).overload, 0);
  for (const Rule rule : all_rules) EXPECT_TRUE(comparison.place_by(rule)[0].ports.empty());
}

TEST(Nearness, IsThatOfNvidiaSmiTopo) {
  Inventory node = lopsided();
  node.ports.push_back(port("mlx5_3", "0000:99:00.0", {}));
  node.ports[0].pci_path = {"host 0", "root", "down 1"};
  node.ports[1].pci_path = {"host 0", "root 2"};
  node.gpus = {{PciAddress{0, 1, 0, 0}, {0}, {"host 0", "root", "down 2"}, ""}};
  const auto tasks = nearness_of_tasks(node, tasks_on({0, 4, 8}), {0, 2, 3});
  EXPECT_EQ(tasks[0], (std::vector{Nearness::numa_node, Nearness::other_package, Nearness::unknown}));
  EXPECT_EQ(tasks[1], (std::vector{Nearness::package, Nearness::other_package, Nearness::unknown}));
  EXPECT_EQ(tasks[2], (std::vector{Nearness::other_package, Nearness::numa_node, Nearness::unknown}));
  EXPECT_EQ(
      nearness_of_gpus(node, {0, 1, 2, 3})[0],
      (std::vector{Nearness::one_bridge, Nearness::host_bridge, Nearness::other_package, Nearness::unknown}));
  EXPECT_EQ(nearness_code(Nearness::unknown), "?");
}

}  // namespace
}  // namespace cib
