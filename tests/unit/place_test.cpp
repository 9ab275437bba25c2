#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "core/placement/task_spread.hpp"
#include "support/node_builder.hpp"

namespace cib {
namespace {

using test::cpus;
using test::numa_node;
using test::one_rail;
using test::port;
using test::ports_text;
using test::task;
using test::tasks_on;
using test::two_sockets_of_two;
using test::why_not;
using testing::ElementsAre;
using testing::HasSubstr;

Inventory two_sockets() {
  Inventory node = numa_node(2);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:86:00.0", {1})};
  return node;
}

std::string placed(const Inventory& node, const std::vector<LocalTask>& tasks,
                   const PlacementOptions& options = one_rail()) {
  return ports_text(node, place(node, tasks, options));
}

TEST(Place, GivesEachTaskTheNearPort) {
  const auto node = two_sockets();
  const auto assignment = place(node, tasks_on({0, 4}), one_rail());
  EXPECT_EQ(ports_text(node, assignment), "mlx5_0:1 mlx5_1:1");
  EXPECT_EQ(assignment.tasks[0].distance, 1000U);
  EXPECT_EQ(assignment.tasks[0].locality, "same NUMA node");
}

TEST(Place, NamesTheLocality) {
  Inventory node = numa_node(2, 2);
  node.ports = {port("mlx5_0", "0000:18:00.0", {1})};
  const auto locality = [&](CpuSet mask) {
    return place(node, {task(0, std::move(mask))}, one_rail()).tasks[0];
  };
  EXPECT_EQ(locality(cpus(4, 4)).locality, "same NUMA node");
  EXPECT_EQ(locality(cpus(0, 0)).locality, "same package");
  EXPECT_EQ(locality(cpus(0, 0)).distance, 1200U);
  EXPECT_EQ(locality(cpus(8, 8)).locality, "other package");
  EXPECT_EQ(locality(cpus(8, 8)).distance, 2100U);
  EXPECT_EQ(locality(cpus(0, 7)).distance, 1100U) << "half of it is local";
  EXPECT_EQ(locality(cpus(0, 7)).locality, "same package");
  EXPECT_EQ(locality({}).locality, "unknown locality");
}

TEST(Place, BelievesASlitThatCanBeTrue) {
  Inventory node = numa_node(2, 2);
  node.ports = {port("mlx5_0", "0000:18:00.0", {1})};
  const auto distance_from = [&](unsigned pu) {
    return place(node, tasks_on({pu}), one_rail()).tasks[0].distance;
  };
  for (const auto& [slit, distance] :
       std::map<unsigned, unsigned>{{10, 1000}, {11, 1100}, {255, 25500}, {9, 2100}, {256, 2100}}) {
    node.distances[2][1] = slit;  // from the other package
    EXPECT_EQ(distance_from(8), distance) << slit;
  }
  node.distances = {};
  EXPECT_EQ(distance_from(4), 1000U);
  EXPECT_EQ(distance_from(0), 1200U) << "in one package, as firmware usually says";
  EXPECT_EQ(distance_from(8), 2100U);
  for (auto& numa : node.numa_nodes) numa.package = UINT_MAX;
  EXPECT_EQ(distance_from(0), 2100U) << "who knows which package";
}

TEST(Place, BalancesWhereNearestWouldPile) {
  const auto node = two_sockets();
  const auto packed = tasks_on({0, 0, 1, 1, 2, 2, 3, 3});
  auto options = one_rail();
  const auto on_far = [&] {
    const std::string text = placed(node, packed, options);
    std::size_t far = 0;
    for (std::size_t at = text.find("mlx5_1"); at != std::string::npos; at = text.find("mlx5_1", at + 1))
      ++far;
    return far;
  };
  options.place = Place::nearest;
  EXPECT_EQ(on_far(), 0U);
  options.place = Place::balanced;
  EXPECT_EQ(on_far(), 3U);
  options.place = Place::spread;
  EXPECT_EQ(on_far(), 4U);
}

TEST(Place, MoreRailsOfMorePortsAreSharedAlike) {
  const Inventory node = two_sockets_of_two();
  auto options = one_rail();
  options.rails = 2;
  std::size_t far = 0;
  for (const auto& placed_task : place(node, tasks_on({0, 0, 1, 1, 2, 2, 3, 3}), options).tasks)
    for (const std::size_t index : placed_task.ports) far += index >= 2 ? 1U : 0U;
  EXPECT_EQ(far, 6U) << "3 of 8 as with one rail and half the ports";
}

TEST(Place, NearestStillSharesEquallyNearPorts) {
  Inventory node = numa_node(2);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0}),
                port("mlx5_2", "0000:86:00.0", {1})};
  auto options = one_rail();
  options.place = Place::nearest;
  EXPECT_EQ(placed(node, tasks_on({0, 1, 2, 3}), options), "mlx5_0:1 mlx5_0:1 mlx5_1:1 mlx5_1:1");
}

TEST(Place, IsTheSameForEveryOrderOfTheInputs) {
  Inventory node = numa_node(2, 2);
  for (unsigned i = 0; i < 6; ++i) {
    node.ports.push_back(port("mlx5_" + std::to_string(i), "0000:00:00.0", {i % 4}));
    node.ports.back().pci->bus = static_cast<std::uint8_t>(0xe0 - 7 * i);
    node.ports.back().rate_gbps = i % 2 == 0 ? 200 : 100;
  }
  node.gpus = {{PciAddress{0, 1, 0, 0}, {0}, {"host 0:0"}, ""},
               {PciAddress{0, 2, 0, 0}, {3}, {"host 0:80"}, ""}};
  auto tasks = tasks_on({0, 0, 1, 5, 8, 12, 15, 3, 9, 9});
  tasks[3].gpus = {PciAddress{0, 1, 0, 0}, PciAddress{0, 2, 0, 0}};
  const auto first = place(node, tasks, {});
  const std::string text = ports_text(node, first);
  std::mt19937 random(1);
  for (int i = 0; i < 50; ++i) {
    std::shuffle(node.ports.begin(), node.ports.end(), random);
    std::shuffle(tasks.begin(), tasks.end(), random);
    std::reverse(node.gpus.begin(), node.gpus.end());
    std::reverse(tasks.front().gpus.begin(), tasks.front().gpus.end());
    std::reverse(node.numa_nodes.begin(), node.numa_nodes.end());
    for (auto& row : node.distances) std::reverse(row.begin(), row.end());
    std::reverse(node.distances.begin(), node.distances.end());
    const auto again = place(node, tasks, {});
    ASSERT_EQ(ports_text(node, again), text);
    ASSERT_EQ(again.plan, first.plan);
  }
}

TEST(Place, ThePlanHashSeesEveryInput) {
  const auto node = two_sockets();
  const auto tasks = tasks_on({0, 4});
  const auto plan = place(node, tasks, one_rail()).plan;
  EXPECT_EQ(plan.size(), 8U);
  EXPECT_NE(place(node, tasks_on({0, 5}), one_rail()).plan, plan);
  auto other = node;
  other.ports[1].lid = 0x11;
  EXPECT_NE(place(other, tasks, one_rail()).plan, plan);
  auto options = one_rail();
  options.place = Place::spread;
  EXPECT_NE(place(node, tasks, options).plan, plan);
}

// What nodes of one kind tell apart, although it changes no port of these tasks.
TEST(Place, ThePlanHashSeesWhatDecidesNothingHere) {
  const auto node = two_sockets();
  const auto tasks = tasks_on({0, 4});
  std::set<std::string> plans = {place(node, tasks, one_rail()).plan};
  std::size_t kinds = 1;
  const auto expect_another = [&](const char* what, const Inventory& n, const std::vector<LocalTask>& t,
                                  const PlacementOptions& o) {
    plans.insert(place(n, t, o).plan);
    EXPECT_EQ(plans.size(), ++kinds) << what;
  };
  const auto of_node = [&](const char* what, auto change) {
    auto other = node;
    change(other);
    expect_another(what, other, tasks, one_rail());
  };
  of_node("driver", [](Inventory& n) { n.ports[1].driver = "mlx4_core"; });
  of_node("path", [](Inventory& n) { n.ports[1].pci_path = {"host 0"}; });
  of_node("slot", [](Inventory& n) { n.ports[1].pci_gbps = 300; });
  of_node("physical state", [](Inventory& n) { n.ports[1].phys_state = PhysState::unknown; });
  of_node("rate", [](Inventory& n) { n.ports[1].rate_gbps = 201; });
  of_node("image GUID", [](Inventory& n) { n.ports[1].sys_image_guid = 1; });
  of_node("prefix", [](Inventory& n) { n.ports[1].subnet_prefix.reset(); });
  of_node("a port that is down", [](Inventory& n) {
    n.ports.push_back(port("mlx5_2", "0000:99:00.0", {1}));
    n.ports.back().state = PortState::down;
  });
  of_node("SLIT", [](Inventory& n) { n.distances[0][1] = 22; });
  of_node("a CPU", [](Inventory& n) { n.numa_nodes[1].cpus.add(100); });
  of_node("a GPU", [](Inventory& n) { n.gpus = {{PciAddress{0, 1, 0, 0}, {0}, {}, ""}}; });
  of_node("its NUMA node", [](Inventory& n) { n.gpus = {{PciAddress{0, 1, 0, 0}, {1}, {}, ""}}; });
  const auto of_tasks = [&](const char* what, auto change) {
    auto other = tasks;
    change(other);
    expect_another(what, node, other, one_rail());
  };
  of_tasks("id", [](auto& t) { t[1].id = 7; });
  of_tasks("whose mask", [](auto& t) { t[1].bound = false; });
  of_tasks("NICs", [](auto& t) { t[1].allowed_nics = {"mlx5_1"}; });
  of_tasks("GPUs", [](auto& t) { t[1].gpus = {PciAddress{0, 9, 0, 0}}; });
  const auto of_options = [&](const char* what, auto change) {
    auto other = one_rail();
    change(other);
    expect_another(what, node, tasks, other);
  };
  of_options("rails", [](auto& o) { o.rails = 0; });
  of_options("gpu", [](auto& o) { o.use_gpus = false; });
  of_options("roce", [](auto& o) { o.roce = Roce::yes; });
  of_options("fabric", [](auto& o) { o.fabric = "fe80:0000:0000:0000"; });
  of_options("hca", [](auto& o) { o.hca = "mlx5*"; });
  of_options("the site's", [](auto& o) { o.site_hca = {"m*"}; });
  of_options("drivers", [](auto& o) { o.drivers = {"mlx5_core"}; });
  of_options("rate wanted", [](auto& o) { o.min_rate_fraction = 0.6; });
}

TEST(Place, FewTasksGetSeveralPortsOfDifferentConnectors) {
  const Inventory node = two_sockets_of_two();
  auto options = one_rail();
  options.rails = 0;
  EXPECT_EQ(placed(node, tasks_on({0, 4}), options), "mlx5_0:1,mlx5_1:1 mlx5_2:1,mlx5_3:1");
  EXPECT_EQ(placed(node, tasks_on({0}), options), "mlx5_0:1,mlx5_1:1") << "no more than 2 on its own";
  EXPECT_EQ(placed(node, tasks_on({0, 1, 4}), options).find(','), std::string::npos) << "4 ports for 3 tasks";
  options.rails = 8;
  EXPECT_EQ(placed(node, tasks_on({0}), options), "mlx5_0:1,mlx5_1:1,mlx5_2:1,mlx5_3:1");
}

TEST(Place, DevicesOfOneConnectorShareItsLoad) {
  // A socket-direct card: two slots, one SysImageGUID; the function number is the connector.
  Inventory node = numa_node(2);
  node.ports = {port("mlx5_0", "0003:01:00.0", {0}), port("mlx5_1", "0003:01:00.1", {0}),
                port("mlx5_2", "0033:01:00.0", {1}), port("mlx5_3", "0033:01:00.1", {1})};
  for (auto& p : node.ports) p.sys_image_guid = 0x506b4b0300abcdef;
  const std::string text = placed(node, tasks_on({0, 4}));
  EXPECT_TRUE(text == "mlx5_0:1 mlx5_3:1" || text == "mlx5_1:1 mlx5_2:1") << text;
  auto options = one_rail();
  options.rails = 4;
  EXPECT_EQ(placed(node, tasks_on({0}), options), "mlx5_0:1,mlx5_1:1") << "two connectors, so two rails";
  for (auto& p : node.ports) p.driver = "hfi1";
  options = one_rail();
  options.drivers = {"hfi1"};
  options.rails = 4;
  EXPECT_EQ(placed(node, tasks_on({0}), options), "mlx5_0:1,mlx5_1:1,mlx5_2:1,mlx5_3:1")
      << "independent HFIs share the GUID too";
}

// Whoever has one or will have one, in mode verbs it is not to be shared.
TEST(Place, VirtualFunctionsServeNobodyByThemselves) {
  Inventory node = numa_node(1);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0})};
  for (unsigned i = 0; i < 4; ++i) {
    node.ports.push_back(port("mlx5_" + std::to_string(2 + i), "0000:18:00.1", {0}));
    node.ports.back().pci->function = static_cast<std::uint8_t>(1 + i);
    node.ports.back().physfn = node.ports[0].pci;
  }
  const auto assignment = place(node, tasks_on({0, 1, 2, 3}), one_rail());
  unsigned on_second_card = 0;
  for (const auto& placed_task : assignment.tasks)
    on_second_card += node.ports[placed_task.ports[0]].device == "mlx5_1" ? 1U : 0U;
  EXPECT_EQ(on_second_card, 2U) << ports_text(node, assignment);
  for (const auto& verdict : assignment.verdicts)
    if (node.ports[verdict.port].device != "mlx5_1") {
      EXPECT_EQ(verdict.connector, "0000:18:00.0:1");
      EXPECT_EQ(verdict.eligible, !node.ports[verdict.port].physfn);
    }
}

TEST(Place, CapacityIsByRateAndBySlot) {
  Inventory node = numa_node(1);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0})};
  node.ports[0].rate_gbps = 100;
  auto options = one_rail();
  const auto share_of_first = [&] {
    std::vector<LocalTask> tasks;
    for (unsigned i = 0; i < 12; ++i) tasks.push_back(task(i, cpus(i % 4, i % 4)));
    unsigned count = 0;
    for (const auto& placed_task : place(node, tasks, options).tasks)
      count += node.ports[placed_task.ports[0]].pci->bus == 0x18 ? 1U : 0U;
    return count;
  };
  for (const auto how : {Place::nearest, Place::spread, Place::balanced}) {
    options.place = how;
    EXPECT_EQ(share_of_first(), 4U) << "100 and 200 Gb/s";
  }
  node.ports[0].rate_gbps = 200;
  EXPECT_EQ(share_of_first(), 6U);
  node.ports[0].pci_gbps = 100;
  EXPECT_EQ(share_of_first(), 4U) << "behind a slot of 100 Gb/s";
  node.ports.push_back(port("mlx5_2", "0000:18:00.1", {0}));
  node.ports[0].pci_gbps = node.ports[2].pci_gbps = 200;
  EXPECT_EQ(share_of_first(), 6U) << "two connectors behind a slot of 200 Gb/s";
}

TEST(Place, ATaskAloneGoesSomewhatFartherForTwiceTheRate) {
  Inventory node = two_sockets();
  node.ports[0].rate_gbps = 100;
  node.gpus = {{PciAddress{0, 1, 0, 0}, {}, {}, ""}};  // somewhere: with GPUs no connector's load is limited
  auto tasks = tasks_on({0});
  tasks[0].gpus = {node.gpus[0].pci};
  for (const auto& [slit, port] :
       std::map<unsigned, std::string>{{24, "mlx5_1:1"}, {26, "mlx5_0:1"}}) {  // b * (C / 100 - C / 200) = 15
    node.distances = {{10, slit}, {slit, 10}};
    EXPECT_EQ(placed(node, tasks), port) << slit;
  }
}

TEST(Place, AStepSpreadOverTheNodeUsesAllOfIt) {
  // One task in each of the four NUMA nodes of package 0, whose ports are two of four.
  Inventory node = numa_node(2, 4);
  node.ports = {port("mlx5_0", "0000:10:00.0", {1}), port("mlx5_1", "0000:20:00.0", {3}),
                port("mlx5_2", "0000:80:00.0", {5}), port("mlx5_3", "0000:90:00.0", {7})};
  const auto devices_used = [&](const std::vector<LocalTask>& tasks) {
    std::set<std::size_t> used;
    for (const auto& placed_task : place(node, tasks, one_rail()).tasks) used.insert(placed_task.ports[0]);
    return used.size();
  };
  for (auto& row : node.distances)
    for (auto& slit : row)
      if (slit == 21) slit = 40;
  EXPECT_EQ(devices_used(tasks_on({0, 4, 8, 12})), 4U);
  EXPECT_EQ(devices_used(tasks_on({0, 1, 2, 3})), 2U) << "packed on one NUMA node: near ports only";
}

TEST(Place, AStepIsSpreadByNodesOrByCpus) {
  // NUMA nodes of 12 and of 4 CPUs.
  Inventory node = numa_node(2);
  node.numa_nodes[0].cpus = cpus(0, 11);
  node.numa_nodes[1].cpus = cpus(12, 15);
  const auto on = [](unsigned of_the_first, unsigned of_the_second) {
    std::vector<LocalTask> tasks;
    for (unsigned i = 0; i < of_the_first; ++i) tasks.push_back(task(i, cpus(i % 12, i % 12)));
    for (unsigned i = 0; i < of_the_second; ++i) tasks.push_back(task(100 + i, cpus(12, 12)));
    return tasks;
  };
  EXPECT_TRUE(is_spread(node, on(12, 4))) << "a task on each CPU";
  EXPECT_FALSE(is_spread(node, on(13, 3)));
  EXPECT_TRUE(is_spread(node, on(8, 8))) << "as many on each NUMA node";
  EXPECT_FALSE(is_spread(node, on(7, 9)));
  EXPECT_TRUE(is_spread(node, on(2, 1))) << "a task is not divided";
  EXPECT_FALSE(is_spread(node, on(4, 0)));
  auto tasks = on(4, 0);
  for (auto& wide : tasks) wide.mask = cpus(0, 15);
  EXPECT_TRUE(is_spread(node, tasks)) << "a mask of all CPUs counts for each NUMA node by its part";
  tasks = on(4, 4);
  for (unsigned id = 0; id < 4; ++id) tasks[id].mask = {};
  EXPECT_FALSE(is_spread(node, tasks)) << "four on the second, and the others nowhere";
  EXPECT_FALSE(is_spread({}, on(1, 0))) << "nothing is known of the node";
  node.numa_nodes.push_back({252, 1, {}});
  EXPECT_TRUE(is_spread(node, on(8, 8))) << "memory alone has no share";
}

TEST(Place, AStepStartsSomewhereInItsNumaNode) {
  const Inventory node = numa_node(2);
  EXPECT_EQ(start_within_node(node, tasks_on({0})), 0);
  EXPECT_EQ(start_within_node(node, tasks_on({3, 2})), 0.5) << "its first CPU";
  EXPECT_EQ(start_within_node(node, tasks_on({5, 7})), 0.25) << "of the node that it begins in";
  EXPECT_EQ(start_within_node(node, {}), 0);
  EXPECT_EQ(start_within_node(node, tasks_on({99})), 0) << "a CPU of no NUMA node";
  Inventory no_cores = node;
  no_cores.cores.clear();
  EXPECT_EQ(start_within_node(no_cores, tasks_on({3})), 0);
}

TEST(Place, OfASpreadStepNoConnectorGetsMoreThanAQuarterAboveTheFairest) {
  Inventory node = numa_node(2);
  for (auto& row : node.distances)
    for (auto& slit : row)
      if (slit == 21) slit = 255;
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0}),
                port("mlx5_2", "0000:1a:00.0", {0}), port("mlx5_3", "0000:86:00.0", {1})};
  unsigned on_the_only_near_one = 0;
  for (const auto& placed_task :
       place(node, tasks_on({0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7}), one_rail()).tasks)
    on_the_only_near_one += placed_task.ports[0] == 3 ? 1U : 0U;
  EXPECT_EQ(on_the_only_near_one, 5U) << "of 16 tasks, where 4 is fair and 8 are near";
}

TEST(Place, ConnectorsAreToldApart) {
  const auto names = [](std::vector<Port> ports) {
    Inventory node = numa_node(1);
    node.ports = std::move(ports);
    std::vector<std::string> physical;
    for (const auto& verdict : place(node, {}, one_rail()).verdicts) physical.push_back(verdict.connector);
    return physical;
  };
  Port nowhere = port("siw0", "0000:18:00.0", {0});
  nowhere.pci.reset();
  Port vf = port("mlx5_2", "0000:18:00.1", {0});
  vf.physfn = PciAddress::parse("0000:18:00.0").value();
  EXPECT_THAT(names({nowhere, vf}), ElementsAre("0000:18:00.0:1", "siw0:1"))
      << "the PF itself is not to be seen";
  // One SysImageGUID in two slots is one card; without one, or in one slot, functions are connectors.
  Port first = port("mlx5_0", "0000:18:00.0", {0}), second = port("mlx5_1", "0000:86:00.0", {0});
  EXPECT_THAT(names({first, second}), ElementsAre("0000:18:00.0:1", "0000:86:00.0:1"));
  first.sys_image_guid = second.sys_image_guid = 0x506b4b0300abcdef;
  EXPECT_THAT(names({first, second}), ElementsAre("0x506b4b0300abcdef.0:1", "0x506b4b0300abcdef.0:1"));
  second.pci = PciAddress::parse("0000:18:00.1").value();
  EXPECT_THAT(names({first, second}), ElementsAre("0000:18:00.0:1", "0000:18:00.1:1"));
}

TEST(Place, UnknownLocalityIsNeutral) {
  Inventory node = two_sockets();
  node.ports.push_back(port("mlx5_2", "0000:01:00.0", {}));
  const auto assignment = place(node, tasks_on({0}), one_rail());
  EXPECT_EQ(ports_text(node, assignment), "mlx5_0:1") << "not nearer than a local port";
  node.ports.erase(node.ports.begin());
  EXPECT_EQ(placed(node, tasks_on({0})), "mlx5_2:1") << "as near as the median, and first by PCI address";
  node.ports = {port("mlx5_0", "0000:18:00.0", {}), port("mlx5_1", "0000:86:00.0", {77})};
  EXPECT_EQ(placed(node, tasks_on({0, 1, 4, 5})), "mlx5_0:1 mlx5_0:1 mlx5_1:1 mlx5_1:1")
      << "nothing known: balance alone";
}

TEST(Place, UnknownLocalityIsTheMedianOfTheOthers) {
  Inventory node = numa_node(2, 2);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:86:00.0", {2}),
                port("mlx5_2", "0000:01:00.0", {})};
  auto tasks = tasks_on({0});
  tasks[0].allowed_nics = {"mlx5_2"};
  const auto distance = [&] { return place(node, tasks, one_rail()).tasks[0].distance; };
  EXPECT_EQ(distance(), 1550U) << "between 1000 and 2100";
  node.ports.push_back(port("mlx5_3", "0000:19:00.0", {1}));
  EXPECT_EQ(distance(), 1200U) << "of 1000, 1200 and 2100";
}

TEST(Place, MemoryOnlyNumaNodesCountForDevicesOnly) {
  Inventory node = numa_node(2);
  node.numa_nodes.push_back({252, 1, {}});
  node.distances = {{10, 40, 80}, {40, 10, 80}, {80, 80, 10}};
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:86:00.0", {1, 252})};
  EXPECT_EQ(placed(node, tasks_on({0, 4})), "mlx5_0:1 mlx5_1:1");
}

TEST(Place, AllCpusOfTheOnlyNumaNodeThatHasSomeAreSomewhere) {
  Inventory node = numa_node(1);
  node.numa_nodes.push_back({1, 0, {}});
  node.distances = {{10, 30}, {30, 10}};
  node.ports = {port("mlx5_0", "0000:18:00.0", {1}), port("mlx5_1", "0000:86:00.0", {0})};
  const std::vector<LocalTask> whole = {task(0, cpus(0, 3))};
  EXPECT_EQ(placed(node, whole), "mlx5_1:1");
}

TEST(Place, WithoutAMaskATaskGetsTheNodeWideList) {
  const auto node = two_sockets();
  auto tasks = tasks_on({0, 0, 4, 4});
  tasks[1].mask = {};
  tasks[3].mask = {};
  EXPECT_EQ(placed(node, tasks), "mlx5_0:1 mlx5_0:1,mlx5_1:1 mlx5_1:1 mlx5_0:1,mlx5_1:1");
  tasks[3].allowed_nics = {"mlx5_1"};
  EXPECT_EQ(placed(node, tasks), "mlx5_0:1 mlx5_0:1,mlx5_1:1 mlx5_1:1 mlx5_1:1");
}

TEST(Place, ATaskThatGetsEveryPortTakesNoneFromTheOthers) {
  Inventory node = numa_node(1);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0})};
  auto tasks = tasks_on({0, 0, 1});
  tasks[0].mask = {};
  EXPECT_EQ(placed(node, tasks), "mlx5_0:1,mlx5_1:1 mlx5_0:1 mlx5_1:1");
}

TEST(Place, WithMasksOfTheWholeNodeBalanceDecides) {
  const auto node = two_sockets();
  auto tasks = tasks_on({0, 0, 0, 0});
  for (auto& unbound : tasks) unbound.mask = cpus(0, 7);
  EXPECT_EQ(placed(node, tasks), "mlx5_0:1 mlx5_0:1 mlx5_1:1 mlx5_1:1");
  EXPECT_EQ(place(node, tasks, one_rail()).tasks[0].distance, 1550U) << "which is half far";
}

TEST(Place, AMaskThatNothingChoseIsNoMaskIfItReachesAllNumaNodes) {
  const auto node = two_sockets();
  auto tasks = tasks_on({0, 0, 0});
  for (auto& inherited : tasks) inherited.bound = false;
  tasks[1].mask = cpus(3, 4);
  tasks[2].mask = cpus(0, 7);
  EXPECT_EQ(placed(node, tasks), "mlx5_0:1 mlx5_0:1,mlx5_1:1 mlx5_0:1,mlx5_1:1");
}

TEST(Place, MasksOfAnySizesGoTogether) {
  const auto node = two_sockets();
  auto tasks = tasks_on({0, 0, 4, 0});
  tasks[0].mask = cpus(0, 3);  // the whole of socket 0
  tasks[3].mask = cpus(3, 6);  // mostly in socket 1
  EXPECT_EQ(placed(node, tasks), "mlx5_0:1 mlx5_0:1 mlx5_1:1 mlx5_1:1");
  EXPECT_EQ(place(node, tasks, one_rail()).tasks[3].distance, 1275U) << "one of its four CPUs is far";
}

TEST(Place, TasksOfOneNumaNodeAreAlikeHoweverManyCpusTheyHave) {
  Inventory node = numa_node(1);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0})};
  EXPECT_EQ(
      placed(node, {task(0, cpus(0, 0)), task(1, cpus(0, 1)), task(2, cpus(2, 2)), task(3, cpus(2, 3))}),
      "mlx5_0:1 mlx5_0:1 mlx5_1:1 mlx5_1:1");
}

TEST(Place, AnotherJobOnTheSameNumaNodeBreaksTiesOtherwise) {
  Inventory node = numa_node(1);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0})};
  EXPECT_EQ(placed(node, tasks_on({0})), "mlx5_0:1");
  EXPECT_EQ(placed(node, tasks_on({2})), "mlx5_1:1") << "it begins in the other half";
  node.ports.push_back(port("mlx5_2", "0000:1a:00.0", {0}));
  for (const auto& [pu, device] :
       std::map<unsigned, std::string>{{0, "mlx5_0:1"}, {1, "mlx5_0:1"}, {2, "mlx5_1:1"}, {3, "mlx5_2:1"}})
    EXPECT_EQ(placed(node, tasks_on({pu})), device) << "of three, by where it begins: " << pu;
}

TEST(Place, GpusDecideFirst) {
  Inventory node = two_sockets();
  node.ports[0].pci_path = {"host 0:10", "0000:10:00.0"};
  node.ports[1].pci_path = {"host 0:80", "0000:80:00.0"};
  node.gpus = {{PciAddress{0, 0x90, 0, 0}, {1}, {"host 0:80", "0000:80:00.0"}, ""}};
  auto tasks = tasks_on({0});
  tasks[0].gpus = {node.gpus[0].pci};
  EXPECT_EQ(placed(node, tasks), "mlx5_1:1");
  auto options = one_rail();
  options.use_gpus = false;
  EXPECT_EQ(placed(node, tasks, options), "mlx5_0:1");
  tasks[0].gpus = {PciAddress{0, 0x77, 0, 0}};
  EXPECT_EQ(placed(node, tasks), "mlx5_0:1") << "a GPU that is not there does not count";
}

TEST(Place, GpuDistanceClassesAreOrdered) {
  Inventory node = numa_node(2, 2);
  const std::vector<std::string> gpu_path = {"host 0", "root port", "switch", "down 1"};
  node.gpus = {{PciAddress{0, 1, 0, 0}, {0}, gpu_path, ""}};
  auto tasks = tasks_on({8});  // its CPU is near the farthest of them
  tasks[0].gpus = {node.gpus[0].pci};
  auto candidates = std::vector<Port>{port("pix", "0000:0a:00.0", {0}), port("pxb", "0000:09:00.0", {0}),
                                      port("phb", "0000:08:00.0", {0}), port("node", "0000:07:00.0", {0}),
                                      port("pkg", "0000:06:00.0", {1}), port("sys", "0000:05:00.0", {2})};
  candidates[0].pci_path = {"host 0", "root port", "switch", "down 2"};
  candidates[1].pci_path = {"host 0", "root port", "switch 2", "down 3"};
  candidates[2].pci_path = {"host 0", "root port 2"};
  candidates[3].pci_path = {"host 1", "root port 3"};
  candidates[4].pci_path = {"host 2"};
  candidates[5].pci_path = {"host 3"};
  while (!candidates.empty()) {
    node.ports = candidates;
    EXPECT_EQ(placed(node, tasks), candidates.front().device + ":1");
    candidates.erase(candidates.begin());
  }
}

TEST(Place, StaysWithinTheAllowedNics) {
  const auto node = two_sockets();
  auto tasks = tasks_on({0, 0, 0});
  tasks[0].allowed_nics = {"mlx5_1"};
  tasks[1].allowed_nics = {"1"};
  tasks[2].allowed_nics = {"mlx4_1"};  // as Slurm calls every HCA
  EXPECT_EQ(placed(node, tasks), "mlx5_1:1 mlx5_1:1 mlx5_1:1");
}

TEST(Place, AListOfNicsThatMeansNoneIsToldAndNotFollowed) {
  auto node = two_sockets();
  auto tasks = tasks_on({0, 0});
  tasks[0].allowed_nics = tasks[1].allowed_nics = {"mlx4_7"};
  auto assignment = place(node, tasks, one_rail());
  EXPECT_EQ(test::ports_text(node, assignment).find('-'), std::string::npos);
  ASSERT_EQ(assignment.notes.size(), 1U) << "once";
  EXPECT_THAT(assignment.notes[0], HasSubstr("SLURM_STEP_NICS=mlx4_7"));
  node.ports[0].device = "ibp24s0", node.ports[0].uverbs = 7;  // udev's name, the kernel's number
  node.ports[1].device = "ibp25s0", node.ports[1].uverbs = 1;
  EXPECT_EQ(placed(node, tasks), "ibp24s0:1 ibp24s0:1");
  node.ports[1].device = "mlx5_7";
  EXPECT_EQ(placed(node, tasks), "mlx5_7:1 mlx5_7:1") << "a number in a name comes first";
}

// Two GPUs and two HCAs behind each of four switches, as in a DGX A100.
Inventory switches() {
  Inventory node = numa_node(2);
  for (unsigned i = 0; i < 8; ++i) {
    const std::vector<std::string> path = {"host " + std::to_string(i / 4),
                                           "switch " + std::to_string(i / 2)};
    node.ports.push_back(port("mlx5_" + std::to_string(i), "0000:10:00.0", {i / 4}));
    node.ports.back().pci->bus = static_cast<std::uint8_t>(0x10 + i);
    node.ports.back().lid += i;
    node.ports.back().pci_path = path;
    node.gpus.push_back({PciAddress{0, static_cast<std::uint8_t>(0x40 + i), 0, 0}, {i / 4}, path, "", ""});
  }
  return node;
}

LocalTask with_gpus(unsigned id, std::vector<unsigned> gpus) {
  LocalTask one = task(id, cpus(0, 0));
  for (const unsigned gpu : gpus) one.gpus.push_back({0, static_cast<std::uint8_t>(0x40 + gpu), 0, 0});
  return one;
}

TEST(Place, ATaskWithGpusTakesThePortsBesideThem) {
  const Inventory node = switches();
  PlacementOptions options;
  EXPECT_EQ(placed(node, {with_gpus(0, {0, 1, 2, 3, 4, 5, 6, 7})}, options),
            "mlx5_0:1,mlx5_1:1,mlx5_2:1,mlx5_3:1,mlx5_4:1,mlx5_5:1,mlx5_6:1,mlx5_7:1");
  EXPECT_EQ(placed(node, {with_gpus(0, {5}), with_gpus(1, {0})}, options),
            "mlx5_4:1,mlx5_5:1 mlx5_0:1,mlx5_1:1");
  options.rails = 1;
  EXPECT_EQ(placed(node, {with_gpus(0, {0, 1, 2, 3})}, options).find(','), std::string::npos)
      << "a number is a number";
  options.rails = 0;
  options.all_near_gpus = false;
  EXPECT_EQ(placed(node, {with_gpus(0, {0, 1, 2, 3, 4, 5, 6, 7})}, options), "mlx5_0:1,mlx5_1:1")
      << "where each port is an interface";
  options.use_gpus = false;
  EXPECT_EQ(placed(node, {with_gpus(0, {5})}, options), "mlx5_0:1,mlx5_1:1") << "by the CPUs";
}

// A virtual machine that shows which NUMA node things are on, and no switches.
TEST(Place, TasksShareThePortsOnTheNumaNodeOfTheirGpus) {
  Inventory node = switches();
  for (Port& one : node.ports) one.pci_path.clear();
  for (Gpu& one : node.gpus) one.pci_path.clear();
  const PlacementOptions options;
  EXPECT_EQ(placed(node, {with_gpus(0, {0, 4})}, options),
            "mlx5_0:1,mlx5_1:1,mlx5_2:1,mlx5_3:1,mlx5_4:1,mlx5_5:1,mlx5_6:1,mlx5_7:1");
  std::vector<LocalTask> tasks;
  for (unsigned id = 0; id < 8; ++id) tasks.push_back(with_gpus(id, {id}));
  const auto assignment = place(node, tasks, options);
  std::set<std::size_t> used;
  for (const auto& one : assignment.tasks) {
    EXPECT_EQ(one.ports.size(), 1U);
    used.insert(one.ports.begin(), one.ports.end());
    EXPECT_EQ(node.ports[one.ports[0]].numa[0], one.task / 4);
  }
  EXPECT_EQ(used.size(), 8U);
}

TEST(Place, AllRailsAreAllConnectors) {
  Inventory node = switches();
  auto options = one_rail();
  options.rails = all_rails;
  EXPECT_EQ(place(node, tasks_on({0, 4}), options).tasks[1].ports.size(), 8U);
  for (Port& one : node.ports) one.sys_image_guid = 1, one.pci->bus = 0x10 + one.pci->bus % 2;
  node.ports.resize(2);
  EXPECT_EQ(place(node, tasks_on({0}), options).tasks[0].ports.size(), 1U) << "one function of one connector";
}

TEST(Place, ASecondPortOfADeviceIsAPort) {
  Inventory node = numa_node(1);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_0", "0000:18:00.0", {0})};
  node.ports[1].number = 2;
  ++node.ports[1].lid;
  EXPECT_EQ(placed(node, tasks_on({0, 1})), "mlx5_0:1 mlx5_0:2");
}

TEST(Place, NothingToPlaceIsAnAnswerToo) {
  EXPECT_TRUE(place({}, {}, {}).tasks.empty());
  const auto alone = place({}, tasks_on({0, 1}), {});
  EXPECT_EQ(alone.tasks.size(), 2U);
  EXPECT_TRUE(alone.tasks[0].ports.empty());
  EXPECT_TRUE(place(two_sockets(), {}, {}).tasks.empty());
}

TEST(Place, SurvivesAbsurdValues) {
  Inventory node = numa_node(2);
  constexpr auto huge = std::numeric_limits<double>::max();
  const double rates[] = {huge, std::numeric_limits<double>::infinity(), std::nan(""), -1, 1e-300, 200};
  for (unsigned i = 0; i < 6; ++i) {
    node.ports.push_back(port("mlx5_" + std::to_string(i), "0000:18:00.0", {i, UINT32_MAX}));
    node.ports.back().pci->bus = static_cast<std::uint8_t>(i);
    node.ports.back().rate_gbps = rates[i];
    node.ports.back().pci_gbps = rates[5 - i];
  }
  node.distances = {{0}, {UINT32_MAX, 3, 4, 5}};
  for (const auto how : {Place::balanced, Place::nearest, Place::spread}) {
    auto options = one_rail();
    options.place = how;
    for (const auto& placed_task : place(node, tasks_on({0, 1, 4, 60000}), options).tasks)
      EXPECT_EQ(placed_task.ports.size(), 1U);
  }
}

TEST(Place, TenThousandPortsEndSoonAndStayWithinBounds) {
  Inventory node = numa_node(2);
  for (unsigned i = 0; i < 10000; ++i) {
    node.ports.push_back(port("mlx5_" + std::to_string(i), "0000:18:00.0", {i % 2}));
    node.ports.back().pci->domain = i;
    node.ports.back().lid = 1 + i;
  }
  std::vector<LocalTask> tasks;
  for (unsigned i = 0; i < 64; ++i) tasks.push_back(task(i, cpus(i % 8, i % 8)));
  const auto assignment = place(node, tasks, {});
  EXPECT_THAT(why_not(node, assignment, "mlx5_300:1"), HasSubstr("more than 256 ports"));
  for (const auto& placed_task : assignment.tasks) EXPECT_EQ(placed_task.ports.size(), 2U);
}

// ---- mode vf: a PF has so many VFs and no more

PlacementOptions vfs(unsigned of_the_first, unsigned of_the_second) {
  PlacementOptions options = one_rail();
  options.free_vfs = {{PciAddress::parse("0000:18:00.0").value(), of_the_first},
                      {PciAddress::parse("0000:86:00.0").value(), of_the_second}};
  return options;
}

TEST(PlaceVfs, TasksGoToTheFarPfWhenTheNearOneHasNoMore) {
  const auto node = two_sockets();
  auto options = vfs(8, 8);
  options.place = Place::nearest;
  EXPECT_EQ(placed(node, tasks_on({0, 1, 2}), options), "mlx5_0:1 mlx5_0:1 mlx5_0:1");
  options.free_vfs = vfs(1, 8).free_vfs;
  const auto few = place(node, tasks_on({0, 1, 2}), options);
  const auto on_first = std::count_if(few.tasks.begin(), few.tasks.end(), [&](const TaskPlacement& t) {
    return node.ports[t.ports[0]].device == "mlx5_0";
  });
  EXPECT_EQ(on_first, 1) << ports_text(node, few);
  options.free_vfs = vfs(8, 1).free_vfs;
  EXPECT_EQ(placed(node, tasks_on({0, 4, 5}), options), "mlx5_0:1 mlx5_0:1 mlx5_1:1")
      << "the other way round";
}

TEST(PlaceVfs, TheNumberHoldsForEveryWayToPlace) {
  for (const Place how : {Place::balanced, Place::nearest, Place::spread}) {
    auto options = vfs(2, 2);
    options.place = how;
    const auto node = two_sockets();
    const auto assignment = place(node, tasks_on({0, 1, 2, 3}), options);
    const auto on_first =
        std::count_if(assignment.tasks.begin(), assignment.tasks.end(),
                      [&](const TaskPlacement& t) { return node.ports[t.ports[0]].device == "mlx5_0"; });
    EXPECT_EQ(on_first, 2) << ports_text(node, assignment);
  }
}

TEST(PlaceVfs, APfWithoutAnyIsNoChoice) {
  const auto node = two_sockets();
  const auto assignment = place(node, tasks_on({0}), vfs(0, 1));
  EXPECT_EQ(ports_text(node, assignment), "mlx5_1:1");
  EXPECT_EQ(why_not(node, assignment, "mlx5_0:1"), "no free VF");
}

TEST(PlaceVfs, OneIsEnoughForTasksThatShareIt) {
  auto options = vfs(1, 1);
  options.shared_vfs = true;
  EXPECT_EQ(placed(two_sockets(), tasks_on({0, 1, 4, 5}), options), "mlx5_0:1 mlx5_0:1 mlx5_1:1 mlx5_1:1");
}

TEST(PlaceVfs, VfsAreGivenOutByTheirPf) {
  auto node = two_sockets();
  Port vf = port("mlx5_2", "0000:18:00.1", {0});
  vf.physfn = PciAddress::parse("0000:18:00.0").value();
  node.ports.push_back(vf);
  const auto assignment = place(node, tasks_on({0}), vfs(1, 0));
  EXPECT_EQ(ports_text(node, assignment), "mlx5_0:1");
  EXPECT_THAT(why_not(node, assignment, "mlx5_2:1"), HasSubstr("only mode vf hands it out, by its PF"));
}

}  // namespace
}  // namespace cib
