// NCCL's topology XML as a description of a node, and over what sysfs shows of one.
#include "adapters/nccl/nccl_topology.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container_ib/inventory.hpp"
#include "container_ib/nearness.hpp"
#include "support/capture.hpp"
#include "support/machines.hpp"
#include "support/node_builder.hpp"
#include "support/paths.hpp"
#include "support/temp_tree.hpp"

namespace cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// Two sockets; at the first a GPU and an HCA behind one switch, and an HCA behind another switch below the
// same; at the second an HCA by itself, whose name the file knows.
constexpr std::string_view two_switches = R"(<!-- of a cloud -->
<system version="1">
  <cpu numaid="1" affinity="00000001,000000f0" arch="x86_64" vendor="GenuineIntel" familyid="6" modelid="143">
    <pci busid="0000:a0:00.0" class="0x020700" vendor="0x15b3" device="0x1021" link_speed="16 GT/s" link_width="16">
      <nic><net name="mlx5_9" dev="0" speed="400000" port="1" guid="0x1" gdr="1"/></nic>
    </pci>
  </cpu>
  <cpu numaid="0" affinity="0000000f">
    <pci busid="ffff:ff:01.0" class="0x060400">
      <pci busid="ffff:ff:02.0" class="0x060400">
        <pci busid="0001:00:00.0" class="0x030200" link_speed="" link_width=""/>
        <pci busid="0101:00:00.0" class="0x020700" link_speed="32.0 GT/s PCIe" link_width="16"/>
      </pci>
      <pci busid="ffff:ff:03.0" class="0x060400">
        <pci busid="0102:00:00.0" class="0x020700"/>
      </pci>
    </pci>
  </cpu>
</system>
)";

Inventory parsed_nccl(std::string_view text) {
  auto machine = parse_nccl_topology(text);
  EXPECT_TRUE(machine.ok()) << (machine.ok() ? "" : machine.error().message());
  return machine.ok() ? *machine : Inventory{};
}

std::string replaced(std::string_view text, const std::string& from, const std::string& to) {
  std::string changed(text);
  const auto at = changed.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return changed.replace(at, from.size(), to);
}

TEST(NcclTopology, IsToldByItsFirstElement) {
  EXPECT_TRUE(is_nccl_topology(two_switches));
  EXPECT_TRUE(is_nccl_topology("<?xml version=\"1.0\"?>\n<system version=\"1\">"));
  for (const char* other :
       {"", "system", "<!-- <system version=\"1\"> --><topology/>", "<topology><system/>",
        "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\"><topology version=\"2.0\">", "<sys", "\xff\xfe"})
    EXPECT_FALSE(is_nccl_topology(other)) << other;
}

TEST(NcclTopology, IsAMachineOfItsOwn) {
  const Inventory machine = parsed_nccl(two_switches);
  ASSERT_EQ(machine.numa_nodes.size(), 2U);
  EXPECT_EQ(machine.numa_nodes[0].cpus.hex(), "0xf");
  EXPECT_EQ(machine.numa_nodes[1].cpus.hex(), "0x1000000f0") << "words of 32 bits, the highest first";
  EXPECT_EQ(machine.cores.size(), 9U);
  ASSERT_EQ(machine.gpus.size(), 1U);
  EXPECT_EQ(machine.gpus[0].pci.text(), "0001:00:00.0");
  EXPECT_THAT(machine.gpus[0].numa, ElementsAre(0U));
  ASSERT_EQ(machine.ports.size(), 3U);
  EXPECT_EQ(machine.ports[0].device, "mlx5_9");
  EXPECT_EQ(machine.ports[0].rate_gbps, 400);
  EXPECT_EQ(machine.ports[0].model, "15b3:1021");
  EXPECT_NEAR(machine.ports[0].pci_gbps, 252, 0.1);
  EXPECT_EQ(machine.ports[1].device, "0101:00:00.0") << "the file has no name";
  EXPECT_EQ(machine.ports[1].state, PortState::unknown) << "and says nothing that changes";
}

TEST(NcclTopology, SaysWhatIsBehindWhichSwitch) {
  const Inventory machine = parsed_nccl(two_switches);
  EXPECT_THAT(nearness_of_gpus(machine, {0, 1, 2}),
              ElementsAre(ElementsAre(Nearness::other_package, Nearness::one_bridge, Nearness::bridges)));
}

// Below one CPU is not below one host bridge.
TEST(NcclTopology, DevicesWithoutASwitchShareTheirNumaNodeOnly) {
  const Inventory machine = parsed_nccl(R"(<system version="1"><cpu numaid="0" affinity="ff">
    <pci busid="0001:00:00.0" class="0x030200"/><pci busid="0002:00:00.0" class="0x020000"/></cpu></system>)");
  EXPECT_THAT(nearness_of_gpus(machine, {0}), ElementsAre(ElementsAre(Nearness::numa_node)));
}

TEST(NcclTopology, NumaNodeMinusOneIsUnknown) {
  const Inventory machine = parsed_nccl(R"(<system version="1"><cpu numaid="-1" affinity="ff">
    <pci busid="0001:00:00.0" class="0x030200"/></cpu></system>)");
  EXPECT_THAT(machine.numa_nodes, IsEmpty());
  ASSERT_EQ(machine.gpus.size(), 1U);
  EXPECT_THAT(machine.gpus[0].numa, IsEmpty());
}

TEST(NcclTopology, GpusAreOfOneVendorAndNotWhatDrawsTheConsole) {
  const Inventory machine = parsed_nccl(R"(<system version="1"><cpu numaid="0">
    <pci busid="0001:00:00.0" class="0x030000" vendor="0x1a03"/>
    <pci busid="0003:00:00.0" class="0x038000" vendor="0x1002"><gpu dev="1"/></pci>
    <pci busid="0002:00:00.0" class="0x120000" vendor="0x1002"/>
    <pci busid="0004:00:00.0" class="0x120000" vendor="0x1d0f"/></cpu></system>)");
  ASSERT_EQ(machine.gpus.size(), 2U);
  EXPECT_EQ(machine.gpus[0].pci.text(), "0002:00:00.0");
  EXPECT_EQ(machine.gpus[1].pci.text(), "0003:00:00.0");
}

TEST(NcclTopology, WhatIsWrongIsAnErrorOfOneLineThatNamesItsOwn) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "no element found"},
      {std::string(two_switches.substr(0, 300)), "unclosed token"},
      {replaced(two_switches, "</cpu>", "</cpux>"), "line 7: mismatched tag"},
      {replaced(two_switches, "version=\"1\"", "version=\"2\""), "line 2: not a <system version=\"1\">"},
      {replaced(two_switches, "0000:a0:00.0", "a0:00"), "line 4: busid: 'a0:00' is not a PCI address"},
      {replaced(two_switches, "numaid=\"1\"", "numaid=\"x\""), "line 3: numaid='x' is no NUMA node"},
      {replaced(two_switches, "numaid=\"1\"", ""), "line 3: numaid='' is no NUMA node"},
      {replaced(two_switches, "00000001,000000f0", "1,000000000f"), "line 3: affinity="},
      {replaced(two_switches, "00000001,000000f0", "\x01"), "line 3: "},
      {replaced(replaced(two_switches, "numaid=\"1\"", "numaid=\"1\" host_hash=\"0x1\""), "numaid=\"0\"",
                "numaid=\"0\" host_hash=\"0x2\""),
       "several machines"},
  };
  for (const auto& [text, expected] : cases) {
    const auto machine = parse_nccl_topology(text);
    ASSERT_FALSE(machine.ok()) << expected;
    EXPECT_THAT(machine.error().message(), HasSubstr(expected));
    EXPECT_EQ(machine.error().message().find_first_of("\n\x01"), std::string::npos);
  }
}

TEST(NcclTopology, NoEntitiesNoOtherFilesNoDepth) {
  const std::string entity =
      "<!DOCTYPE system [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>\n<system version=\"1\"><cpu "
      "numaid=\"0\" "
      "affinity=\"&a;\"/></system>";
  ASSERT_TRUE(is_nccl_topology(entity));
  EXPECT_THAT(parse_nccl_topology(entity).error().what, StartsWith("line 1: a document type"));
  std::string deep = "<system version=\"1\">";
  for (int i = 0; i < 100000; ++i) deep += "<a>";
  EXPECT_THAT(parse_nccl_topology(deep).error().what, HasSubstr("elements in more than 64 others"));
}

// Every text that is almost one ends soon, as an error or as a machine of which nothing is used.
TEST(NcclTopology, NonsenseEndsSoon) {
  for (std::size_t length = 0; length < two_switches.size(); ++length) {
    EXPECT_FALSE(parse_nccl_topology(two_switches.substr(0, length)).ok() &&
                 length + 1 < two_switches.size());
    std::string changed(two_switches);
    for (const char wrong : {'\0', '<', '&', '"', '9', '\x80'}) {
      changed[length] = wrong;
      if (const auto machine = parse_nccl_topology(changed)) {
        for (const auto& verdict : place(*machine, {}, {}).verdicts)
          EXPECT_FALSE(verdict.eligible) << changed;
      }
    }
  }
}

// ---- as an input
// -----------------------------------------------------------------------------------------------

struct Described {
  test::TempTree tree;
  InventorySource source() const {
    return {.kind = InventorySource::Kind::xml, .path = tree.path("nccl.xml")};
  }
};

TEST(NcclTopology, IsReadWhereHwlocsXmlIs) {
  Described described;
  described.tree.file("nccl.xml", std::string(two_switches));
  const auto node = load_inventory(described.source());
  ASSERT_TRUE(node.ok()) << node.error().message();
  EXPECT_EQ(node->gpus.size(), 1U);
  described.tree.file("nccl.xml", replaced(two_switches, "</cpu>", ""));
  const auto torn = load_inventory(described.source());
  ASSERT_FALSE(torn.ok());
  EXPECT_THAT(torn.error().message(), StartsWith("topology " + described.tree.path("nccl.xml") + ": line "));
  described.tree.file("nccl.xml", std::string(two_switches) + std::string(1 << 20, ' '));
  EXPECT_THAT(load_inventory(described.source()).error().message(),
              HasSubstr("NCCL's topology XML of more than 1 MiB"));
}

void put_port(const test::TempTree& tree, const std::string& device, const std::string& pci) {
  const std::string folder = "class/infiniband/" + device;
  tree.link(folder + "/device", "../../../devices/" + pci);
  tree.file(folder + "/ports/1/state", "4: ACTIVE\n");
  tree.file(folder + "/ports/1/link_layer", "InfiniBand\n");
  tree.file(folder + "/ports/1/lid", "0x12\n");
}

// Names, and which HCAs there are at all, are sysfs's to say.
TEST(NcclTopology, WithPortsOfSysfsOnlySaysWhereTheyAre) {
  Described described;
  described.tree.file("nccl.xml", std::string(two_switches));
  described.tree.directory("devices/0101:00:00.0");
  put_port(described.tree, "mlx5_ib0", "0101:00:00.0");
  put_port(described.tree, "mlx5_an0", "0000:07:00.0");
  InventorySource source = described.source();
  source.sysfs = described.tree.path();
  const auto node = load_inventory(source);
  ASSERT_TRUE(node.ok()) << node.error().message();
  ASSERT_EQ(node->ports.size(), 2U);
  EXPECT_EQ(node->ports[0].device, "mlx5_an0");
  EXPECT_THAT(node->ports[0].pci_path, IsEmpty()) << "the file lacks it";
  EXPECT_EQ(node->ports[1].device, "mlx5_ib0");
  EXPECT_THAT(node->ports[1].numa, ElementsAre(0U));
  EXPECT_EQ(node->ports[1].state, PortState::active);
  EXPECT_THAT(nearness_of_gpus(*node, {1}), ElementsAre(ElementsAre(Nearness::one_bridge)));
}

// CPUs and NUMA nodes are the machine's; a NUMA node that it does not have is not believed.
TEST(NcclTopology, OverAMachineSaysWhereItsDevicesAre) {
  Described described;
  test::unpack_manifest(test::in_checkout("tests/fixtures/captures/two-sockets.tree"), described.tree);
  const auto file = [](unsigned numa) {
    return "<system version=\"1\"><cpu numaid=\"" + std::to_string(numa) +
           "\" affinity=\"ffff\"><pci busid=\"ffff:ff:01.0\" class=\"0x060400\"><pci busid=\"0000:86:00.0\" "
           "class=\"0x020700\"/></pci></cpu></system>";
  };
  InventorySource source = described.source();
  source.sysfs = described.tree.path();
  for (const unsigned numa : {0U, 7U}) {
    described.tree.file("nccl.xml", file(numa));
    const auto node = load_inventory(source);
    ASSERT_TRUE(node.ok()) << node.error().message();
    EXPECT_EQ(node->numa_nodes.size(), 2U);
    EXPECT_EQ(node->cores.size(), 4U);
    EXPECT_EQ(node->ports.size(), 3U);
    for (const Port& port : node->ports)
      if (port.pci->text() == "0000:86:00.0") {
        EXPECT_THAT(port.numa, ElementsAre(numa == 0 ? 0U : 1U));
        EXPECT_EQ(port.pci_path.size(), 3U);
      }
  }
}

TEST(SavedTree, LacksWhatIsNamed) {
  const test::TempTree tree;
  const auto why = [&] { return check_saved_tree(tree.path()).error().message(); };
  EXPECT_THAT(why(), HasSubstr("it lacks proc and sys/devices/system/cpu with CPUs in it"));
  tree.directory("sys/devices/system/cpu/cpufreq");
  EXPECT_THAT(why(), HasSubstr("it lacks proc and sys/devices/system/cpu with CPUs in it"));
  tree.directory("sys/devices/system/cpu/cpu0");
  EXPECT_THAT(why(), HasSubstr("it lacks proc ("));
  EXPECT_THAT(test::load_capture(tree.path()).error().message(), HasSubstr("it lacks proc ("));
  tree.directory("proc");
  EXPECT_TRUE(check_saved_tree(tree.path()).ok());
  EXPECT_THAT(check_saved_tree(tree.path("nowhere")).error().message(),
              HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace cib
