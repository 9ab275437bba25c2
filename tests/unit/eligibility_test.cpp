#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/node_builder.hpp"

namespace cib {
namespace {

using test::one_rail;
using test::port;
using test::why_not;
using testing::HasSubstr;

struct Case {
  const char* what;
  void (*change)(Port&, PlacementOptions&);
  const char* reason;  // "eligible", or a part of the reason
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.what; }

class OnePort : public testing::TestWithParam<Case> {};

TEST_P(OnePort, IsEligibleOrSaysWhyNot) {
  Inventory node = test::numa_node(2);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:86:00.0", {1})};
  auto options = one_rail();
  GetParam().change(node.ports[0], options);
  const std::string name = node.ports[0].name();
  const auto assignment = place(node, test::tasks_on({0}), options);
  EXPECT_THAT(why_not(node, assignment, name), HasSubstr(GetParam().reason));
  for (const std::size_t index : assignment.tasks[0].ports)
    EXPECT_EQ(why_not(node, assignment, node.ports[index].name()), "eligible");
  EXPECT_EQ(assignment.tasks[0].ports.empty(), why_not(node, assignment, name) != "eligible" &&
                                                   why_not(node, assignment, "mlx5_1:1") != "eligible");
}

using P = Port;
using O = PlacementOptions;

INSTANTIATE_TEST_SUITE_P(
    Reasons, OnePort,
    testing::Values(
        Case{"as it is", [](P&, O&) {}, "eligible"},
        Case{"a VF", [](P& p, O&) { p.physfn = PciAddress{0, 0x17, 0, 0}; }, "a VF; only mode vf hands it out, unless hca= names it"},
        Case{"a VF that a glob happens to match",
             [](P& p, O& o) {
               p.physfn = PciAddress{0, 0x17, 0, 0};
               o.hca = "mlx5_[01]";
             },
             "a VF; only mode vf hands it out, unless hca= names it"},
        Case{"a VF that its user names",
             [](P& p, O& o) {
               p.physfn = PciAddress{0, 0x17, 0, 0};
               o.hca = p.device + "+mlx5_1";
             },
             "eligible"},
        Case{"a VF that the site names by its PCI address",
             [](P& p, O& o) {
               p.physfn = PciAddress{0, 0x17, 0, 0};
               o.site_hca = {"mlx5_1", "18:00.0"};
             },
             "eligible"},
        Case{"a named VF that another step has",
             [](P& p, O& o) {
               p.physfn = PciAddress{0, 0x17, 0, 0};
               o.hca = p.device;
               o.claimed = {{*p.pci, "step 17.0"}};
             },
             "a VF that step 17.0 has"},
        Case{"a named VF in mode vf",
             [](P& p, O& o) {
               p.physfn = PciAddress{0, 0x17, 0, 0};
               o.hca = p.device;
               o.free_vfs = {{{PciAddress{0, 0x17, 0, 0}, 1}}};
             },
             "a VF; only mode vf hands it out, by its PF"},
        Case{"without a GUID", [](P& p, O&) { p.without_gid = true; }, "no GID: its port has no GUID"},
        Case{"Ethernet without an address",
             [](P& p, O& o) {
               p.link_layer = LinkLayer::ethernet, p.without_gid = true;
               o.roce = Roce::yes;
             },
             "no GID: its network device has no address"},
        Case{"without the partition",
             [](P& p, O& o) {
               p.pkeys = {0xffff, 0, 0x8006};
               o.pkey = 0x8005;
             },
             "its P_Key table lacks 0x8005"},
        Case{"limited member of the partition",
             [](P& p, O& o) {
               p.pkeys = {0xffff, 0, 0x0005};
               o.pkey = 0x8005;
             },
             "eligible"},
        Case{"partitions unknown", [](P&, O& o) { o.pkey = 0x8005; }, "eligible"},
        Case{"InfiniBand and roce=only", [](P&, O& o) { o.roce = Roce::only; }, "InfiniBand, and roce=only"},
        Case{"Ethernet as a fallback that is not needed",
             [](P& p, O& o) {
               p.link_layer = LinkLayer::ethernet;
               o.roce = Roce::fallback;
             },
             "Ethernet, and roce=fallback while there is InfiniBand"},
        Case{"EFA",
             [](P& p, O& o) {
               p.link_layer = LinkLayer::unknown, p.driver = "efa", p.lid = 0, p.subnet_prefix.reset();
               p.pkeys = {0xffff};
               o.drivers = {"efa", "mlx5_core"};
               o.pkey = 0x8005;
             },
             "eligible"},
        Case{"EFA where the site has other drivers",
             [](P& p, O&) { p.link_layer = LinkLayer::unknown, p.driver = "efa", p.lid = 0; },
             "driver efa, allowed are mlx5_core, mlx4_core"},
        Case{"excluded", [](P&, O& o) { o.hca = "mlx5_[0-3]+^mlx5_0"; }, "does not match hca=mlx5_[0-3]+^mlx5_0"},
        Case{"excluded by the site", [](P&, O& o) { o.site_hca = {"^mlx5_0:1"}; },
             "not for MPI at this site, which are ^mlx5_0:1"},
        Case{"armed", [](P& p, O&) { p.state = PortState::armed; }, "state ARMED"},
        Case{"down", [](P& p, O&) { p.state = PortState::down; }, "state DOWN"},
        Case{"init", [](P& p, O&) { p.state = PortState::init; }, "no subnet manager"},
        Case{"init without link",
             [](P& p, O&) {
               p.state = PortState::init;
               p.phys_state = PhysState::polling;
             },
             "state INIT"},
        Case{"state unknown", [](P& p, O&) { p.state = PortState::unknown; }, "state unknown"},
        Case{"state of a later kernel", [](P& p, O&) { p.state = static_cast<PortState>(99); },
             "state unknown"},
        Case{"deferred", [](P& p, O&) { p.state = PortState::active_defer; }, "state ACTIVE_DEFER"},
        Case{"state after the last", [](P& p, O&) { p.state = static_cast<PortState>(6); }, "state unknown"},
        Case{"phy test", [](P& p, O&) { p.phys_state = PhysState::phy_test; }, "physical state Phy Test"},
        Case{"phys_state after the last", [](P& p, O&) { p.phys_state = static_cast<PhysState>(8); },
             "physical state unknown"},
        Case{"polling", [](P& p, O&) { p.phys_state = PhysState::polling; }, "physical state Polling"},
        Case{"phys_state unknown", [](P& p, O&) { p.phys_state = PhysState::unknown; }, "eligible"},
        Case{"Ethernet", [](P& p, O&) { p.link_layer = LinkLayer::ethernet; }, "Ethernet; roce=yes"},
        Case{"link unknown", [](P& p, O&) { p.link_layer = LinkLayer::unknown; }, "link layer unknown"},
        Case{"lid 0", [](P& p, O&) { p.lid = 0; }, "LID 0"},
        Case{"lid ffff", [](P& p, O&) { p.lid = 0xffff; }, "LID 65535"},
        Case{"multicast lid", [](P& p, O&) { p.lid = 0xc000; }, "LID 49152"},
        Case{"highest lid", [](P& p, O&) { p.lid = 0xbfff; }, "eligible"},
        Case{"hfi1", [](P& p, O&) { p.driver = "hfi1"; }, "driver hfi1, allowed are mlx5_core, mlx4_core"},
        Case{"no driver", [](P& p, O&) { p.driver = ""; }, "unknown driver"},
        Case{"any driver", [](P& p, O& o) { p.driver = "hfi1", o.drivers = {}; }, "eligible"},
        Case{"slow", [](P& p, O&) { p.rate_gbps = 99; }, "99 Gb/s is below 0.5 of this node's best 200"},
        Case{"half", [](P& p, O&) { p.rate_gbps = 100; }, "eligible"},
        Case{"rate unknown", [](P& p, O&) { p.rate_gbps = 0; }, "eligible"},
        Case{"slow but wanted", [](P& p, O& o) { p.rate_gbps = 1, o.min_rate_fraction = 0; }, "eligible"},
        Case{"not the user's", [](P&, O& o) { o.hca = "mlx5_1"; }, "does not match hca=mlx5_1"},
        Case{"the user's", [](P&, O& o) { o.hca = "mlx5_[!1]"; }, "eligible"},
        Case{"the user's port", [](P&, O& o) { o.hca = "mlx5_0:1"; }, "eligible"},
        Case{"the other port", [](P&, O& o) { o.hca = "mlx5_0:2"; }, "does not match"},
        Case{"not the site's",
             [](P&, O& o) {
               o.site_hca = {"x*", "mlx5_1"};
             },
             "which are x*, mlx5_1"},
        Case{"none the site's", [](P&, O& o) { o.site_hca = {}; }, "no HCA for MPI on this node"},
        Case{"comma in name", [](P& p, O&) { p.device = "mlx5_0,eth0"; }, "not the name"},
        Case{"no name", [](P& p, O&) { p.device = ""; }, "not the name"},
        Case{"renamed", [](P& p, O&) { p.device = "ibp1s0"; }, "eligible"},
        Case{"same name", [](P& p, O&) { p.device = "mlx5_1", p.pci->bus = 0x90; }, "eligible"},
        Case{"other fabric", [](P& p, O&) { p.subnet_prefix = 0xfec0000000000001; },
             "subnet prefix fec0:0000:0000:0001, the step uses fe80:0000:0000:0000"},
        Case{"larger fabric", [](P& p, O&) { p.subnet_prefix = 0xfec0000000000001, p.rate_gbps = 400; },
             "eligible"},
        Case{"wanted fabric",
             [](P& p, O& o) {
               p.subnet_prefix = 0xfec0000000000001;
               o.fabric = "fec0:0000:0000:0001";
             },
             "eligible"},
        Case{"unwanted fabric", [](P&, O& o) { o.fabric = "fec0:0000:0000:0001"; },
             "the step uses fec0:0000:0000:0001"},
        Case{"prefix unknown", [](P& p, O&) { p.subnet_prefix.reset(); }, "eligible"},
        Case{"prefix unknown of a wanted fabric",
             [](P& p, O& o) {
               p.subnet_prefix.reset();
               o.fabric = "fec0:0000:0000:0001";
             },
             "eligible"},
        Case{"Ethernet and a wanted fabric",
             [](P& p, O& o) {
               p.link_layer = LinkLayer::ethernet;
               p.subnet_prefix.reset();
               o.roce = Roce::yes;
               o.fabric = "fe80:0000:0000:0000";
             },
             "Ethernet, the step uses fe80:0000:0000:0000"},
        Case{"lowest lid", [](P& p, O&) { p.lid = 1; }, "eligible"},
        Case{"name of 63 characters", [](P& p, O&) { p.device = std::string(63, 'x'); }, "eligible"},
        Case{"name of 64", [](P& p, O&) { p.device = std::string(64, 'x'); }, "not the name"},
        Case{"rate absurd", [](P& p, O&) { p.rate_gbps = 100'001; }, "eligible"},
        Case{"slowest rate there is", [](P& p, O&) { p.rate_gbps = 1; }, "1 Gb/s is below"}));

Inventory ethernet_and_infiniband() {
  Inventory node = test::numa_node(2);
  node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:86:00.0", {1})};
  node.ports[0].link_layer = LinkLayer::ethernet;
  node.ports[0].lid = 0;
  return node;
}

TEST(Eligibility, EthernetIsAddedAndNeverTakenInstead) {
  Inventory node = ethernet_and_infiniband();
  auto options = one_rail();
  options.roce = Roce::yes;
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), options)), "mlx5_1:1,mlx5_0:1")
      << "InfiniBand first, be it farther";
  node.ports[0].rate_gbps = 800;
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), options)), "mlx5_1:1,mlx5_0:1")
      << "an Ethernet's rate is no measure of InfiniBand's";
  node.ports[0].rate_gbps = 25;
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), options)), "mlx5_1:1,mlx5_0:1")
      << "nor the other way round";
}

TEST(Eligibility, EthernetAlone) {
  Inventory node = ethernet_and_infiniband();
  auto options = one_rail();
  options.roce = Roce::only;
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), options)), "mlx5_0:1");
  options.roce = Roce::fallback;
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), options)), "mlx5_1:1");
  node.ports[1].state = PortState::down;
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), options)), "mlx5_0:1");
}

// One HCA of four planes, and the device that Linux makes to manage those.
TEST(Eligibility, ASubDeviceForManagementHasNoData) {
  Inventory node = test::numa_node(2);
  node.ports = {port("hca", "0000:18:00.0", {0})};
  node.ports[0].node_guid = 0x2c90300000010;
  for (unsigned plane = 1; plane <= 4; ++plane) {
    node.ports.push_back(node.ports[0]);
    node.ports.back().device = "a_first_by_name";
    node.ports.back().number = plane;
    node.ports.back().lid = 0x100 + plane;
  }
  const auto assignment = place(node, test::tasks_on({0}), one_rail());
  EXPECT_EQ(test::ports_text(node, assignment), "hca:1");
  EXPECT_THAT(why_not(node, assignment, "a_first_by_name:3"),
              HasSubstr("a sub-device of hca for its management (SMI)"));
  node.ports.resize(2);
  node.ports[1].rate_gbps = 50;
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), one_rail())), "hca:1")
      << "of one plane, told by its rate";
  node.ports[1].pci = PciAddress{0, 0x18, 0, 1};
  auto options = one_rail();
  options.min_rate_fraction = 0;
  EXPECT_EQ(why_not(node, place(node, test::tasks_on({0}), options), "a_first_by_name:1"), "eligible")
      << "another function is another HCA";
}

TEST(Eligibility, DifferentSubnetManagersProveTwoSubnets) {
  Inventory node = test::two_sockets_of_two();
  for (Port& port : node.ports) port.sm_lid = 5;
  EXPECT_EQ(place(node, {}, one_rail()).notes.size(), 0U) << "one, as far as anybody can tell";
  node.ports[0].sm_lid = 1;
  auto assignment = place(node, test::tasks_on({0}), one_rail());
  EXPECT_EQ(test::ports_text(node, assignment), "mlx5_1:1");
  EXPECT_THAT(why_not(node, assignment, "mlx5_0:1"),
              HasSubstr("in the subnet of the manager at LID 1, the step uses that of LID 5"));
  ASSERT_EQ(assignment.notes.size(), 1U);
  EXPECT_THAT(assignment.notes[0],
              HasSubstr("2 InfiniBand subnets have the prefix fe80:0000:0000:0000 here"));
  node.ports[1].sm_lid = 1;
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({4}), one_rail())), "mlx5_0:1")
      << "the lowest LID among equals, on every node";
  auto options = one_rail();
  options.fabric = "fe80:0000:0000:0000/5";
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), options)), "mlx5_2:1");
  options.fabric = "all";
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), options)), "mlx5_0:1,mlx5_2:1");
  node.ports[0].sm_lid = node.ports[1].sm_lid = 0;
  EXPECT_EQ(why_not(node, place(node, {}, one_rail()), "mlx5_0:1"), "eligible") << "unknown proves nothing";
}

TEST(Eligibility, ALidGivenTwiceProvesTwoSubnets) {
  Inventory node = test::two_sockets_of_two();
  for (Port& port : node.ports) port.sm_lid = 1;
  node.ports[3].lid = node.ports[1].lid;
  const auto assignment = place(node, test::tasks_on({4}), one_rail());
  EXPECT_EQ(test::ports_text(node, assignment), "mlx5_2:1");
  EXPECT_EQ(why_not(node, assignment, "mlx5_3:1"),
            "another subnet than the step's: mlx5_1:1 has LID 216 too");
  EXPECT_EQ(assignment.notes.size(), 1U);
  node.ports[3].physfn = node.ports[1].pci;  // a VF has its port's
  auto options = one_rail();
  options.hca = "*+mlx5_3";
  EXPECT_EQ(why_not(node, place(node, {}, options), "mlx5_3:1"), "eligible");
}

TEST(Eligibility, APortSlowerThanItsSiblingsIsTold) {
  Inventory node = test::two_sockets_of_two();
  for (Port& port : node.ports) port.model = "15b3:1021";
  EXPECT_EQ(place(node, {}, one_rail()).notes.size(), 0U);
  node.ports[1].rate_gbps = 100;
  auto assignment = place(node, {}, one_rail());
  EXPECT_EQ(why_not(node, assignment, "mlx5_1:1"), "eligible");
  EXPECT_EQ(assignment.verdicts[1].remark,
            "slower than its siblings: 100 Gb/s, others of its model (15b3:1021) 200");
  ASSERT_EQ(assignment.notes.size(), 1U);
  EXPECT_THAT(assignment.notes[0], HasSubstr("mlx5_1:1 is slower than its siblings"));
  node.ports[1].rate_gbps = 50;
  EXPECT_THAT(why_not(node, place(node, {}, one_rail()), "mlx5_1:1"),
              HasSubstr("50 Gb/s is below 0.5 of this node's best 200; slower than its siblings"));
  auto options = one_rail();
  options.site_hca = {"^mlx5_1"};
  EXPECT_EQ(place(node, {}, options).notes.size(), 0U) << "the site knows of it";
  node.ports[1].model = "15b3:1017";
  EXPECT_EQ(place(node, {}, one_rail()).notes.size(), 0U) << "an older model";
}

TEST(Eligibility, AllFabricsGiveEachTaskAPortInEach) {
  Inventory node = test::two_sockets_of_two();
  node.ports[1].subnet_prefix = node.ports[3].subnet_prefix = 0xfec0000000000001;
  auto options = one_rail();
  options.fabric = "all";
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0, 4}), options)),
            "mlx5_0:1,mlx5_1:1 mlx5_2:1,mlx5_3:1");
}

TEST(PlacementOptions, TheFirstMatchingNodeRuleCounts) {
  SiteConfig site;
  site.nodes = {{.name = {"login9", "n1*"}, .hca = {"a"}},
                {.name = {"n*"}, .hca = {"b", "c"}},
                {.name = {"gpu[01-16]"}, .hca = {"d"}}};
  EXPECT_EQ(placement_options({}, site, "n12").site_hca, std::vector<std::string>{"a"});
  EXPECT_EQ(placement_options({}, site, "n2").site_hca, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(placement_options({}, site, "gpu07").site_hca, std::vector<std::string>{"d"});
  for (const char* other : {"login", "gpu7", "gpu0", "gpu17"})
    EXPECT_EQ(placement_options({}, site, other).site_hca, std::vector<std::string>{"*"}) << other;
}

}  // namespace
}  // namespace cib
