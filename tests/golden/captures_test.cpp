// Nodes described by nothing but a saved /proc and /sys: placed like those described by XML.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/tasks.hpp"
#include "container_ib/placement.hpp"
#include "support/capture.hpp"
#include "support/machines.hpp"
#include "support/node_builder.hpp"
#include "support/paths.hpp"

namespace cib {
namespace {

using testing::HasSubstr;

std::string placed(const Inventory& node, unsigned tasks, const std::string& distribution,
                   const std::vector<std::string>& drivers = SiteConfig{}.drivers) {
  PlacementOptions options;
  options.drivers = drivers;
  const auto masks = cli::tasks_from_distribution(node, tasks, distribution).value();
  const auto assignment = place(node, masks, options);
  std::string text = test::ports_text(node, assignment);
  for (const auto& task : assignment.tasks) text += " " + std::to_string(task.distance) + " " + task.locality;
  return text;
}

void expect_same_plans(const Inventory& capture, const Inventory& xml,
                       const std::vector<std::string>& drivers = SiteConfig{}.drivers) {
  for (const char* distribution : {"block", "cyclic", "pack"})
    for (unsigned n = 1; n <= 64; ++n)
      ASSERT_EQ(placed(capture, n, distribution, drivers), placed(xml, n, distribution, drivers))
          << n << " " << distribution;
}

class TwoSockets : public testing::Test {
 protected:
  void SetUp() override {
    test::unpack_manifest(test::in_checkout("tests/fixtures/captures/two-sockets.tree"), tree_);
  }
  Inventory load() const {
    auto node = test::load_capture(tree_.path());
    EXPECT_TRUE(node.ok()) << (node.ok() ? "" : node.error().message());
    return node.ok() ? *node : Inventory{};
  }
  test::TempTree tree_;
};

TEST_F(TwoSockets, IsPlacedAsFromXml) {
  const Inventory node = load();
  ASSERT_EQ(node.numa_nodes.size(), 2U);
  EXPECT_EQ(node.numa_nodes[1].cpus.hex(), "0xc");
  EXPECT_EQ(node.distances, (std::vector<std::vector<unsigned>>{{10, 21}, {21, 10}}));
  const auto xml = test::load_xml(test::in_checkout("tests/fixtures/nodes/two-sockets.xml"));
  ASSERT_TRUE(xml.ok()) << xml.error().message();
  expect_same_plans(node, *xml);
  EXPECT_THAT(test::why_not(node, place(node, test::tasks_on({0}), {}), "mlx5_2:1"), HasSubstr("Ethernet"));
}

TEST_F(TwoSockets, AVirtualFunctionIsPartOfItsPortsGroup) {
  const std::string function = "sys/devices/pci0000:85/0000:86:00.1";
  tree_.link("sys/bus/pci/devices/0000:86:00.1", "../../../devices/pci0000:85/0000:86:00.1");
  for (const auto& [name, text] :
       {std::pair("vendor", "0x15b3"), std::pair("device", "0x101c"), std::pair("class", "0x020700"),
        std::pair("numa_node", "1"), std::pair("local_cpus", "c")})
    tree_.file(function + "/" + name, std::string(text) + "\n");
  tree_.link(function + "/physfn", "../0000:86:00.0");
  tree_.link(function + "/driver", "../../../bus/pci/drivers/mlx5_core");
  const std::string device = function + "/infiniband/ibp134s0v0";
  tree_.link("sys/class/infiniband/ibp134s0v0",
             "../../devices/pci0000:85/0000:86:00.1/infiniband/ibp134s0v0");
  tree_.link(device + "/device", "../../../0000:86:00.1");
  for (const auto& [name, text] : {std::pair("state", "4: ACTIVE"), std::pair("link_layer", "InfiniBand"),
                                   std::pair("lid", "0x12"), std::pair("rate", "200 Gb/sec (4X HDR)")})
    tree_.file(device + "/ports/1/" + name, std::string(text) + "\n");
  const Inventory node = load();
  const auto assignment = place(node, test::tasks_on({2, 3}), test::one_rail());
  std::map<std::string, std::string> physical;
  for (const auto& verdict : assignment.verdicts)
    physical[node.ports[verdict.port].name()] = verdict.connector;
  EXPECT_EQ(physical["ibp134s0v0:1"], physical["mlx5_1:1"]);
  EXPECT_EQ(test::why_not(node, assignment, "mlx5_1:1"), "eligible");
  EXPECT_EQ(test::why_not(node, assignment, "ibp134s0v0:1"),
            "a VF; only mode vf hands it out, unless hca= names it");
  EXPECT_EQ(test::ports_text(node, assignment), "mlx5_0:1 mlx5_1:1")
      << "the VF has no capacity of its own, so one of two tasks is better off at the far port";
}

TEST_F(TwoSockets, WithoutNumaInformationItIsStillANode) {
  std::filesystem::remove_all(tree_.path("sys/devices/system/node"));
  for (const char* pci : {"pci0000:17/0000:18:00.0", "pci0000:85/0000:86:00.0"}) {
    const std::string function = std::string("sys/devices/") + pci;
    tree_.file(function + "/numa_node", "-1\n");
    tree_.file(function + "/local_cpus", "f\n");
  }
  const Inventory node = load();
  EXPECT_LE(node.numa_nodes.size(), 1U);
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0, 1, 2, 3}), test::one_rail())),
            "mlx5_0:1 mlx5_0:1 mlx5_1:1 mlx5_1:1");
}

// A machine's capture against hwloc's own XML of it. The archives are hwloc's test data.
struct Capture {
  const char* archive;
  const char* folder;  // in it
  std::vector<std::string> drivers;
  std::string port;  // what every task gets; empty: nothing
};

void PrintTo(const Capture& capture, std::ostream* out) { *out << capture.archive; }

class RealMachine : public testing::TestWithParam<Capture> {};

TEST_P(RealMachine, IsPlacedAsFromXml) {
  const auto& expected = GetParam();
  CIB_NEEDS_MACHINE(expected.archive);
  const test::TempTree tree;
  const auto shell = [&](const std::string& command) {
    return std::system(("cd " + tree.path() + " && " + command + " 2>/dev/null").c_str());
  };
  ASSERT_EQ(shell("tar xjf '" + test::machine_file(expected.archive) + "'"), 0);
  const std::string root = tree.path(expected.folder);
  const auto node = test::load_capture(root);
  ASSERT_TRUE(node.ok()) << node.error().message();
  ASSERT_EQ(node->numa_nodes.size(), node->distances.size());
  for (const char* distribution : {"block", "cyclic", "pack"})
    for (unsigned n = 1; n <= 64; ++n) {
      PlacementOptions options;
      options.drivers = expected.drivers;
      const auto tasks = cli::tasks_from_distribution(*node, n, distribution).value();
      for (const auto& task : place(*node, tasks, options).tasks) {
        ASSERT_EQ(task.ports.size(), expected.port.empty() ? 0U : 1U);
        if (!task.ports.empty()) {
          ASSERT_EQ(node->ports[task.ports[0]].name(), expected.port);
        }
      }
    }
  if (shell("HWLOC_FSROOT='" + root + "' HWLOC_THISSYSTEM=0 lstopo-no-graphics --of xml -f node.xml") != 0)
    GTEST_SKIP() << "no lstopo-no-graphics to write the XML with";
  const auto xml = test::load_xml(tree.path("node.xml"));
  ASSERT_TRUE(xml.ok()) << xml.error().message();
  expect_same_plans(*node, *xml, expected.drivers);
}

INSTANTIATE_TEST_SUITE_P(Captures, RealMachine,
                         testing::Values(Capture{"hwloc/32em64t-2n8c+dax+nvme+mic+dimms.tar.bz2",
                                                 "32em64t-2n8c+1mic",
                                                 {"mlx4_core"},
                                                 "mlx4_0:1"},
                                         Capture{"hwloc/40intel64-2g2n4c+pcilocality.tar.bz2",
                                                 "40intel64-2g2n4c+pci",
                                                 {"mlx5_core", "mlx4_core"},
                                                 ""}));

}  // namespace
}  // namespace cib
