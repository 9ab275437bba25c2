// What a command says of files and folders that describe no machine, and of those that a site's file names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "support/output_of.hpp"
#include "support/paths.hpp"
#include "support/temp_tree.hpp"

namespace cib {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* nccl_xml =
    "<system version=\"1\"><cpu numaid=\"0\" affinity=\"ff\"><pci busid=\"0001:00:00.0\" class=\"0x030200\"/>"
    "</cpu></system>";

class Inputs : public testing::Test {
 protected:
  // Both outputs and "exit N".
  std::string run(const std::string& arguments, const std::string& variables = "") const {
    const std::string command = "cd " + tree_.path() + " && env -u HWLOC_FSROOT " + variables + " " +
                                test::program_file() + " " + arguments;
    return test::output_of(command);
  }

  std::string check_site(const std::string& more = "") const {
    tree_.file("site.conf", "[topology]\nxml = \"" + tree_.path("node.xml") + "\"\n" + more);
    return run("check-config site.conf");
  }

  test::TempTree tree_;
};

TEST_F(Inputs, AFolderWithoutASavedTreeIsNotThisMachine) {
  tree_.directory("empty");
  tree_.directory("ports/class/infiniband");
  const auto lacks = [&](const std::string& what, const std::string& folder) {
    return "container-ib topo: " + what + ": no saved tree of a machine below " + folder +
           ": it lacks proc and sys/devices/system/cpu with CPUs in it (hwloc-gather-topology writes such "
           "trees, as "
           "an archive to unpack)\nexit 2";
  };
  EXPECT_EQ(run("topo --topology empty"), lacks("--topology", "empty"));
  EXPECT_EQ(run("topo", "HWLOC_FSROOT=empty"), lacks("HWLOC_FSROOT", "empty"));
  EXPECT_EQ(run("topo --sysfs ports"), lacks("--sysfs without --topology", "ports"));
  EXPECT_EQ(run("topo --sysfs empty --json"), lacks("--sysfs without --topology", "empty"));
}

TEST_F(Inputs, NcclsTopologyIsADescription) {
  tree_.file("node.xml", nccl_xml);
  EXPECT_THAT(run("topo --topology node.xml"), StartsWith("8 cores, 1 NUMA nodes, 1 GPUs, 0 RDMA ports\n"));
  tree_.file("node.xml", "<system version=\"1\">\n<cpu>");
  EXPECT_EQ(run("topo --topology node.xml"),
            "container-ib topo: topology node.xml: line 2: numaid='' is no NUMA node\nexit 2");
}

TEST_F(Inputs, CheckConfigOpensTheTopologyThatTheSiteNames) {
  const std::string line = "container-ib check-config: site.conf:2: topology.xml: ";
  EXPECT_THAT(check_site(),
              AllOf(StartsWith(line + "open "), EndsWith(": No such file or directory\nexit 1")));
  tree_.file("node.xml", "no XML");
  EXPECT_THAT(check_site(),
              StartsWith(line + "topology " + tree_.path("node.xml") + ": hwloc cannot load it"));
  tree_.file("node.xml", "<system version=\"1\"><cpu numaid=\"x\"/></system>");
  EXPECT_THAT(check_site(), StartsWith(line + "topology " + tree_.path("node.xml") + ": line 1: numaid='x'"));
  tree_.file("node.xml", nccl_xml);
  EXPECT_EQ(check_site(), "site.conf: fine\nexit 0");
  ASSERT_EQ(::chmod(tree_.path("node.xml").c_str(), 0666), 0);
  EXPECT_EQ(check_site(),
            line + tree_.path("node.xml") + " can be written by others than root; chmod go-w it\nexit 1");
}

TEST_F(Inputs, OnlyNcclsTopologyIsHandedToNccl) {
  std::string hwloc = test::in_checkout("tests/fixtures/nodes/two-sockets.xml");
  tree_.file("site.conf", "[topology]\nxml = \"" + hwloc + "\"\nhand_to_nccl = true\n");
  EXPECT_THAT(run("check-config site.conf"),
              HasSubstr("site.conf:2: topology.xml: topology.hand_to_nccl: " + hwloc + " is hwloc's"));
  tree_.file("node.xml", nccl_xml);
  EXPECT_EQ(check_site("hand_to_nccl = true"), "site.conf: fine\nexit 0");
  const std::string plan = "plan --topology " + hwloc + " --tasks 1 --option verbs,env=nccl --json";
  EXPECT_THAT(run(plan + " --config site.conf"),
              HasSubstr("\"NCCL_TOPO_FILE\": \"" + tree_.path("node.xml") + "\""));
  EXPECT_THAT(run(plan), Not(HasSubstr("NCCL_TOPO_FILE")));
}

// Two HCAs, one of which is beside the GPU: which is known of the file, and that they are up of sysfs.
TEST_F(Inputs, TopoProposesAnEntryForTheHcasBesideGpus) {
  tree_.file("node.xml",
             "<system version=\"1\"><cpu numaid=\"0\" affinity=\"ff\"><pci busid=\"ffff:ff:01.0\" "
             "class=\"0x060400\"><pci busid=\"0001:00:00.0\" class=\"0x030200\"/><pci busid=\"0101:00:00.0\" "
             "class=\"0x020700\"/></pci><pci busid=\"0102:00:00.0\" class=\"0x020700\"/></cpu></system>");
  for (const std::string number : {"1", "2"}) {
    const std::string device = "class/infiniband/mlx5_" + number, pci = "010" + number + ":00:00.0";
    tree_.link(device + "/device", "../../../devices/" + pci);
    tree_.link("devices/" + pci + "/driver", "../../drivers/mlx5_core");
    tree_.file(device + "/ports/1/state", "4: ACTIVE\n");
    tree_.file(device + "/ports/1/link_layer", "InfiniBand\n");
    tree_.file(device + "/ports/1/lid", "0x1" + number + "\n");
  }
  const std::string topo = "topo --topology node.xml --sysfs . ";
  EXPECT_THAT(
      run(topo + "--node gpu01"),
      HasSubstr("1 of these ports shares no PCIe switch with a GPU, others do: mlx5_2:1\n"
                "If it is for storage or the front end, this entry of the site's file keeps MPI off:\n\n"
                "[[nodes]]\nname = \"gpu01\"\nhca = [\"mlx5_1\"]\n\n"));
  EXPECT_THAT(run(topo), HasSubstr("name = \"*\"\n")) << "a described node has no name";
  EXPECT_THAT(run(topo + "--json"), HasSubstr("\"left_out\": [\n      \"mlx5_2:1\"\n    ]"));
  tree_.file("site.conf", "[[nodes]]\nname = \"gpu*\"\nhca = [\"mlx5_*\"]\n");
  EXPECT_THAT(run(topo + "--config site.conf --node gpu01"), Not(HasSubstr("[[nodes]]")));
  EXPECT_THAT(run(topo + "--config site.conf --node gpu01 --json"), HasSubstr("\"proposal\": null"));
}

}  // namespace
}  // namespace cib
