// Placement on real machines: what must hold for the load of each connector and for the distance.
#include "support/machines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "cli/tasks.hpp"
#include "container_ib/comparison.hpp"
#include "container_ib/placement.hpp"
#include "support/paths.hpp"

namespace cib {
namespace {

// A task on the first core of that NUMA node.
LocalTask task_on(const Inventory& node, unsigned id, unsigned numa) {
  LocalTask task;
  task.id = id;
  for (const auto& numa_node : node.numa_nodes)
    if (numa_node.os_index == numa && !numa_node.cpus.empty()) task.mask.add(numa_node.cpus.list().front());
  EXPECT_FALSE(task.mask.empty()) << "NUMA node " << numa;
  return task;
}

struct Outcome {
  std::map<std::string, unsigned> load;  // per connector
  double mean_slit = 0;
  std::set<std::string> devices;
};

Outcome outcome_of(const Inventory& node, const Assignment& assignment) {
  std::map<std::size_t, const PortVerdict*> verdicts;
  Outcome outcome;
  for (const auto& verdict : assignment.verdicts) {
    verdicts[verdict.port] = &verdict;
    if (verdict.eligible) outcome.load[verdict.connector] = 0;
  }
  for (const auto& task : assignment.tasks) {
    outcome.mean_slit += task.distance / 100.0 / static_cast<double>(assignment.tasks.size());
    for (const std::size_t port : task.ports) {
      EXPECT_TRUE(verdicts[port]->eligible);
      ++outcome.load[verdicts[port]->connector];
      outcome.devices.insert(node.ports[port].name());
    }
  }
  return outcome;
}

PlacementOptions usual_options() {
  PlacementOptions options;
  options.drivers = SiteConfig{}.drivers;
  options.rails = 1;
  return options;
}

struct Expectation {
  const char* file;
  const char* what;
  std::vector<unsigned> numa_of_tasks;
  unsigned max_load;
  double mean_slit;
};

void PrintTo(const Expectation& expectation, std::ostream* out) {
  *out << expectation.file << " " << expectation.what;
}

class Golden : public testing::TestWithParam<Expectation> {};

TEST_P(Golden, LoadAndDistance) {
  const auto& expected = GetParam();
  CIB_NEEDS_MACHINE(expected.file);
  const auto node = test::load_xml(test::machine_file(expected.file));
  ASSERT_TRUE(node.ok()) << node.error().message();
  std::vector<LocalTask> tasks;
  for (const unsigned numa : expected.numa_of_tasks)
    tasks.push_back(task_on(*node, static_cast<unsigned>(tasks.size()), numa));
  const Outcome outcome = outcome_of(*node, place(*node, tasks, usual_options()));
  unsigned max_load = 0;
  for (const auto& [port, load] : outcome.load) max_load = std::max(max_load, load);
  EXPECT_EQ(max_load, expected.max_load);
  EXPECT_NEAR(outcome.mean_slit, expected.mean_slit, 0.05);
}

constexpr const char* jwb = "ParaStation-psmgmt/topo.jwb0004.xml";
constexpr const char* jrc = "ParaStation-psmgmt/topo.jrc0323.xml";
constexpr const char* jwc = "ParaStation-psmgmt/topo.jwc09n003.xml";
constexpr const char* mel = "ParaStation-psmgmt/topo.mel3001.xml";
constexpr const char* lassen = "LLNL-mpibind/coral-lassen.xml";
constexpr const char* summit = "openpmix/summit.h17n08.lstopo-2.2.0.xml";
constexpr const char* ndv5 = "derived/azure-ndv5-h100-8hca.xml";

INSTANTIATE_TEST_SUITE_P(
    Machines, Golden,
    testing::Values(Expectation{jwb, "four NUMA nodes", {0, 2, 4, 6}, 1, 12.0},
                    Expectation{jwb, "all NUMA nodes", {0, 1, 2, 3, 4, 5, 6, 7}, 2, 11.0},
                    Expectation{jwb, "two NUMA nodes in turn", {0, 4, 0, 4, 0, 4, 0, 4}, 2, 12.0},
                    Expectation{jwb, "packed", {0, 0, 0, 0, 0, 0, 1, 1}, 3, 16.5},
                    Expectation{lassen, "one a socket", {0, 8}, 1, 10.0},
                    Expectation{summit, "three a socket", {0, 0, 0, 8, 8, 8}, 3, 10.0},
                    Expectation{mel, "four a socket", {0, 0, 0, 0, 1, 1, 1, 1}, 4, 21.0},
                    Expectation{jwc, "four a socket", {0, 0, 0, 0, 1, 1, 1, 1}, 4, 10.0},
                    Expectation{jwc, "packed", {0, 0, 0, 0, 0, 0, 0, 0}, 5, 14.1},
                    Expectation{ndv5, "four a socket", {0, 0, 0, 0, 1, 1, 1, 1}, 1, 10.0},
                    Expectation{ndv5, "packed", {0, 0, 0, 0, 0, 0, 0, 0}, 1, 15.5},
                    Expectation{jrc, "all NUMA nodes", {0, 1, 2, 3, 4, 5, 6, 7}, 4, 11.0},
                    Expectation{jrc, "packed", {0, 0, 0, 0, 0, 0, 0, 0}, 6, 17.0}));

struct Usable {
  const char* file;
  std::set<std::string> ports;  // all that may ever be chosen
};

class OnlyInfiniBand : public testing::TestWithParam<Usable> {};

void PrintTo(const Usable& usable, std::ostream* out) { *out << usable.file; }

// For 1 to 64 tasks and every distribution: only these ports, each task one, and no connector more than a
// quarter above its fair share where tasks are spread.
TEST_P(OnlyInfiniBand, AndFairlyShared) {
  const auto& expected = GetParam();
  CIB_NEEDS_MACHINE(expected.file);
  const auto node = test::load_xml(test::machine_file(expected.file));
  ASSERT_TRUE(node.ok()) << node.error().message();
  for (const char* distribution : {"block", "cyclic", "pack"}) {
    for (unsigned n = 1; n <= 64; ++n) {
      const auto tasks = cli::tasks_from_distribution(*node, n, distribution).value();
      const Assignment assignment = place(*node, tasks, usual_options());
      const Outcome outcome = outcome_of(*node, assignment);
      for (const auto& device : outcome.devices)
        EXPECT_TRUE(expected.ports.contains(device)) << device << " for " << n << " " << distribution;
      for (const auto& task : assignment.tasks)
        ASSERT_EQ(task.ports.size(), expected.ports.empty() ? 0U : 1U) << n << " " << distribution;
      if (expected.ports.empty() || std::string(distribution) == "pack") continue;
      const auto connectors = static_cast<unsigned>(outcome.load.size());
      const unsigned fair = (n + connectors - 1) / connectors;
      for (const auto& [port, load] : outcome.load)
        EXPECT_LE(load, 1.25 * fair) << port << " for " << n << " " << distribution;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Machines, OnlyInfiniBand,
    testing::Values(Usable{jwb, {"mlx5_0:1", "mlx5_1:1", "mlx5_2:1", "mlx5_3:1"}},
                    Usable{jrc, {"mlx5_0:1", "mlx5_1:1", "mlx5_2:1", "mlx5_3:1"}},
                    Usable{jwc, {"mlx5_0:1", "mlx5_1:1"}}, Usable{mel, {"mlx5_0:1", "mlx5_1:1"}},
                    Usable{lassen, {"mlx5_0:1", "mlx5_1:1", "mlx5_2:1", "mlx5_3:1"}},
                    Usable{summit, {"mlx5_0:1", "mlx5_1:1", "mlx5_2:1", "mlx5_3:1"}},
                    Usable{ndv5,
                           {"mlx5_0:1", "mlx5_1:1", "mlx5_2:1", "mlx5_3:1", "mlx5_4:1", "mlx5_5:1",
                            "mlx5_6:1", "mlx5_7:1"}},
                    Usable{"ParaStation-psmgmt/topo.jsfc005.xml", {"mlx5_1:1"}},
                    Usable{"ParaStation-psmgmt/topo.dp-dam01.xml", {}},
                    Usable{"LLNL-mpibind/coral-ea-hwloc1.xml", {"mlx5_0:1", "mlx5_1:1"}},
                    Usable{"LLNL-mpibind/cts1-pascal.xml", {"mlx5_0:1"}},
                    Usable{"LLNL-mpibind/cts1-quartz-smt1.xml", {}}, Usable{"LLNL-mpibind/eas-tioga.xml", {}},
                    Usable{"LLNL-mpibind/epyc-corona.xml", {"mlx5_0:1"}},
                    Usable{"LLNL-mpibind/g4dnmetal.xml", {}},
                    Usable{"LLNL-mpibind/knl-snc4-flat-hwloc1.xml", {"mlx5_0:1"}},
                    Usable{"hwloc/16intel64-manyVFs.xml", {}}, Usable{"hwloc/24em64t-2n6c2t-pci.xml", {}},
                    Usable{"openpmix/nvml-4gpu.xml", {"mlx5_4:1", "mlx5_5:1"}},
                    Usable{"openpmix/opa-hfi.xml", {}}, Usable{"openpmix/test-topo.xml", {"mlx5_ib0:1"}}));

// ---- every description there is: the project's own, and whatever lies in the folder of machines

constexpr const char* no_machines = "no machines";

std::vector<std::string> descriptions() {
  std::vector<std::string> files;
  const auto add = [&](const std::string& folder) {
    std::error_code error;
    const auto end = std::filesystem::recursive_directory_iterator();
    for (auto at = std::filesystem::recursive_directory_iterator(folder, error); !error && at != end;
         at.increment(error))
      if (at->path().extension() == ".xml") files.push_back(at->path().string());
  };
  add(test::in_checkout("tests/fixtures/nodes"));
  const std::size_t own = files.size();
  add(test::machines_directory());
  if (files.size() == own) files.emplace_back(no_machines);
  std::sort(files.begin(), files.end());
  return files;
}

class EveryDescription : public testing::TestWithParam<std::string> {};

// For 1 to 64 tasks, every distribution, and one rail as well as the usual number of them.
TEST_P(EveryDescription, GivesOnlyInfiniBandThatIsUpAndSharesItFairly) {
  if (GetParam() == no_machines)
    GTEST_SKIP() << "only the project's own nodes: no " << test::machines_directory() << " (CIB_TOPOLOGIES)";
  const auto node = test::load_xml(GetParam());
  ASSERT_TRUE(node.ok()) << node.error().message();
  PlacementOptions options;
  options.drivers = SiteConfig{}.drivers;
  for (options.rails = 0; options.rails <= 1; ++options.rails) {
    for (const std::string distribution : {"block", "cyclic", "pack"}) {
      for (unsigned n = 1; n <= 64; ++n) {
        const std::string what =
            std::to_string(n) + " " + distribution + ", rails " + std::to_string(options.rails);
        const auto tasks = cli::tasks_from_distribution(*node, n, distribution).value();
        const Assignment assignment = place(*node, tasks, options);
        const bool any = std::any_of(assignment.verdicts.begin(), assignment.verdicts.end(),
                                     [](const PortVerdict& verdict) { return verdict.eligible; });
        for (const auto& task : assignment.tasks) {
          ASSERT_EQ(task.ports.empty(), !any) << what;
          for (const std::size_t index : task.ports) {
            const Port& port = node->ports[index];
            ASSERT_EQ(port.state, PortState::active) << port.name() << " for " << what;
            ASSERT_EQ(port.link_layer, LinkLayer::infiniband) << port.name() << " for " << what;
            ASSERT_TRUE(port.lid >= 1 && port.lid <= 0xbfff) << port.name() << " for " << what;
          }
        }
        if (any && distribution != "pack") {
          ASSERT_LE(Comparison(*node, tasks, options, assignment).score(assignment.tasks).overload, 1.25)
              << what;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, EveryDescription, testing::ValuesIn(descriptions()),
                         [](const testing::TestParamInfo<std::string>& machine) {
                           std::string name = std::filesystem::path(machine.param).filename().string();
                           for (char& c : name)
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           return name;
                         });

}  // namespace
}  // namespace cib
