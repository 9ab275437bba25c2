#include "adapters/sysfs/sysfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "adapters/sysfs/attributes.hpp"
#include "adapters/sysfs/gpu_uuids.hpp"
#include "support/node_builder.hpp"
#include "support/temp_tree.hpp"

namespace cib {
namespace {

using test::TempTree;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Attributes, ReadWhatTheKernelWrites) {
  EXPECT_EQ(parse_state("4: ACTIVE"), PortState::active);
  EXPECT_EQ(parse_state("1: DOWN"), PortState::down);
  EXPECT_EQ(parse_phys_state("5: LinkUp"), PhysState::link_up);
  EXPECT_EQ(parse_link_layer("InfiniBand"), LinkLayer::infiniband);
  EXPECT_EQ(parse_link_layer("Ethernet"), LinkLayer::ethernet);
  EXPECT_EQ(parse_rate("56 Gb/sec (4X FDR)"), 56);
  EXPECT_EQ(parse_rate("2.5 Gb/sec (1X SDR)"), 2.5);
  EXPECT_EQ(parse_rate("800 Gb/sec (4X XDR)"), 800);
  EXPECT_EQ(parse_lid("0x3a4"), 0x3a4U);
  EXPECT_EQ(parse_numa_node("3"), 3U);
  EXPECT_EQ(parse_numa_node("-1"), std::nullopt) << "unknown, and not node 0";
  EXPECT_DOUBLE_EQ(parse_pci_speed("5.0 GT/s PCIe", "8"), 32);
  EXPECT_NEAR(parse_pci_speed("16.0 GT/s PCIe", "16"), 252.06, 0.01);
  EXPECT_NEAR(parse_pci_speed("8 GT/s", "8"), 63.02, 0.01);
}

TEST(Attributes, AnythingElseIsUnknown) {
  for (const char* text : {"", " ", "4", "ACTIVE", "-1: X", "99: X", "4x: ACTIVE", "\xff", "4 : ACTIVE"}) {
    EXPECT_EQ(parse_state(text), PortState::unknown) << text;
    EXPECT_EQ(parse_phys_state(text), PhysState::unknown) << text;
    EXPECT_EQ(parse_link_layer(text), LinkLayer::unknown) << text;
    EXPECT_EQ(parse_rate(text), 0) << text;
    EXPECT_EQ(parse_lid(text), 0U) << text;
    EXPECT_EQ(parse_pci_speed(text, "16"), 0) << text;
    if (std::string(text) != "4") {
      EXPECT_EQ(parse_pci_speed("16.0 GT/s PCIe", text), 0) << text;
    }
  }
  for (const char* text : {"-56 Gb/sec", "nan Gb/sec", "1e99 Gb/sec", "56", "56 Mb/sec", "0x38 Gb/sec"})
    EXPECT_EQ(parse_rate(text), 0) << text;
  for (const char* text : {"0x", "0x-1", "0x1ffffffff", "3a4", "0x3a4 "})
    EXPECT_EQ(parse_lid(text), 0U) << text;
  EXPECT_EQ(parse_pci_speed("Unknown", "63"), 0) << "as VFs have it";
  EXPECT_EQ(parse_pci_speed("16.0 GT/s PCIe", "255"), 0);
}

// A tree as the kernel makes it, with one port.
void make_device(const TempTree& tree, const std::string& name, const std::string& pci,
                 const std::string& port = "1") {
  const std::string function = "devices/pci0000:00/" + pci;
  const std::string device = function + "/infiniband/" + name;
  tree.link("class/infiniband/" + name, "../../" + device);
  tree.link(device + "/device", "../../../" + pci);
  tree.link(function + "/driver", "../../../bus/pci/drivers/mlx5_core");
  tree.file(function + "/numa_node", "1\n");
  tree.file(function + "/current_link_speed", "16.0 GT/s PCIe\n");
  tree.file(function + "/current_link_width", "16\n");
  tree.file(device + "/node_guid", "506b:4b03:003c:eee8\n");
  tree.file(device + "/sys_image_guid", "506b:4b03:003c:eee9\n");
  const std::string at = device + "/ports/" + port + "/";
  tree.file(at + "state", "4: ACTIVE\n");
  tree.file(at + "phys_state", "5: LinkUp\n");
  tree.file(at + "link_layer", "InfiniBand\n");
  tree.file(at + "rate", "200 Gb/sec (4X HDR)\n");
  tree.file(at + "lid", "0x26\n");
  tree.file(at + "sm_lid", "0x1\n");
  tree.file(at + "gids/0", "fec0:0000:0000:0001:506b:4b03:003c:eeea\n");
  tree.file(at + "gids/1", "0000:0000:0000:0000:0000:0000:0000:0000\n");
  tree.file(at + "gids/2", "0000:0000:0000:0000:0000:ffff:0a14:0001\n");
  tree.file(at + "gids/3", "fec0:0000:0000:0001:506b:4b03:003c:eee\033\n");
  tree.file(at + "pkeys/0", "0xffff\n");
  tree.file(at + "pkeys/1", "0x0000\n");
  tree.file(at + "pkeys/2", "0x8001\n");
  tree.file(function + "/net/ib0/dev_port", "0\n");
  tree.file(function + "/net/ib1/dev_port", "1\n");
}

TEST(Sysfs, ReadsAPort) {
  const TempTree tree;
  make_device(tree, "mlx5_0", "0000:18:00.1");
  tree.link("devices/pci0000:00/0000:18:00.1/physfn", "../0000:18:00.0");
  Inventory node;
  ASSERT_TRUE(merge_sysfs(tree.path(), {.tables = true}, node).ok());
  ASSERT_EQ(node.ports.size(), 1U);
  const Port& port = node.ports[0];
  EXPECT_EQ(port.name(), "mlx5_0:1");
  EXPECT_EQ(port.pci->text(), "0000:18:00.1");
  EXPECT_EQ(port.physfn->text(), "0000:18:00.0");
  EXPECT_EQ(port.driver, "mlx5_core");
  EXPECT_THAT(port.numa, ElementsAre(1U));
  EXPECT_NEAR(port.pci_gbps, 252, 1);
  EXPECT_EQ(port.state, PortState::active);
  EXPECT_EQ(port.phys_state, PhysState::link_up);
  EXPECT_EQ(port.link_layer, LinkLayer::infiniband);
  EXPECT_EQ(port.rate_gbps, 200);
  EXPECT_EQ(port.lid, 0x26U);
  EXPECT_EQ(port.sm_lid, 1U);
  EXPECT_EQ(port.node_guid, 0x506b4b03003ceee8U);
  EXPECT_EQ(port.sys_image_guid, 0x506b4b03003ceee9U);
  EXPECT_EQ(port.port_guid, 0x506b4b03003ceeeaU);
  EXPECT_EQ(port.subnet_prefix, 0xfec0000000000001U);
  EXPECT_THAT(port.pkeys, ElementsAre(0xffff, 0, 0x8001)) << "by their index";
  EXPECT_FALSE(port.without_gid);
  EXPECT_EQ(port.model, "");
  EXPECT_EQ(port.uverbs, std::nullopt);
  ASSERT_EQ(port.gids.size(), 2U) << "those that are set, and are GIDs";
  EXPECT_EQ(port.gids[0].text, "fec0:0000:0000:0001:506b:4b03:003c:eeea");
  EXPECT_EQ(port.gids[1].index, 2U) << "UCX_IB_GID_INDEX counts those between too";
  EXPECT_THAT(port.netdevs, ElementsAre("ib0"));
}

// The port of make_device(), with these GIDs in place of its own.
Port port_with_gids(const std::string& link_layer, const std::vector<std::string>& gids) {
  const TempTree tree;
  const std::string function = "devices/pci0000:00/0000:18:00.0", device = function + "/infiniband/mlx5_0";
  tree.link("class/infiniband/mlx5_0", "../../" + device);
  tree.link(device + "/device", "../../../0000:18:00.0");
  tree.file(function + "/vendor", "0x15b3\n");
  tree.file(function + "/device", "0x101e\n");
  tree.file(function + "/infiniband_verbs/uverbs7/ibdev", "mlx5_0\n");
  const std::string at = device + "/ports/1/";
  tree.file(at + "link_layer", link_layer + "\n");
  for (std::size_t i = 0; i < gids.size(); ++i) {
    tree.file(at + "gids/" + std::to_string(i), gids[i] + "\n");
    tree.file(at + "gid_attrs/types/" + std::to_string(i), i % 2 == 0 ? "IB/RoCE v1\n" : "RoCE v2\n");
  }
  Inventory node;
  EXPECT_TRUE(merge_sysfs(tree.path(), {}, node).ok());
  return node.ports.at(0);
}

TEST(Sysfs, ReadsTheGidsOfEthernetAlways) {
  const std::string none = "0000:0000:0000:0000:0000:0000:0000:0000",
                    local = "fe80:0000:0000:0000:0e42:a1ff:fe00:0001",
                    ipv4 = "0000:0000:0000:0000:0000:ffff:0a00:0001";
  const Port port = port_with_gids("Ethernet", {local, local, none, ipv4});
  ASSERT_EQ(port.gids.size(), 3U);
  EXPECT_EQ(port.gids[0].type, GidType::ib_or_v1);
  EXPECT_EQ(port.gids[2].type, GidType::roce_v2);
  EXPECT_EQ(roce_gid(port)->index, 3U);
  EXPECT_FALSE(port.without_gid);
  EXPECT_EQ(port.model, "15b3:101e");
  EXPECT_EQ(port.uverbs, 7U);
  EXPECT_TRUE(port_with_gids("Ethernet", {none, none}).without_gid);
  EXPECT_FALSE(port_with_gids("Ethernet", {}).without_gid) << "not in this tree";
  EXPECT_EQ(port_with_gids("InfiniBand", {local}).gids.size(), 0U) << "only where it is asked for";
  EXPECT_TRUE(port_with_gids("InfiniBand", {"fe80:0000:0000:0000:0000:0000:0000:0000"}).without_gid);
}

// As NVIDIA's driver writes it.
TEST(GpuUuids, AreReadFromTheDriversFiles) {
  const TempTree tree;
  tree.file("driver/nvidia/gpus/0000:07:00.0/information",
            "Model: \t\t NVIDIA H100\nIRQ:   \t\t 17\nGPU UUID: \t GPU-8932f937-d72c-4106-c12f-20bd9faed9f6\n"
            "Bus Type: \t PCIe\n");
  tree.file("driver/nvidia/gpus/0000:08:00.0/information", "GPU UUID: \t ??\n");
  Inventory node;
  for (const std::uint8_t bus : std::initializer_list<std::uint8_t>{7, 8, 9})
    node.gpus.push_back({.pci = {0, bus, 0, 0}, .numa = {}, .pci_path = {}, .name = "", .uuid = "GPU-0"});
  read_gpu_uuids(tree.path(), node);
  EXPECT_EQ(node.gpus[0].uuid, "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6");
  EXPECT_EQ(node.gpus[1].uuid, "GPU-0") << "what is none";
  EXPECT_EQ(node.gpus[2].uuid, "GPU-0") << "of another driver";
}

TEST(Sysfs, FindsTheTreeBelowSysToo) {
  const TempTree tree;
  std::filesystem::create_directories(tree.path("sys/class/infiniband"));
  Inventory node;
  EXPECT_TRUE(merge_sysfs(tree.path(), {}, node).ok());
  EXPECT_FALSE(merge_sysfs(tree.path("elsewhere"), {}, node).ok());
}

TEST(Sysfs, LiveFactsReplaceSavedOnesAndLocalityStays) {
  const TempTree tree;
  make_device(tree, "mlx5_0", "0000:18:00.0");
  Inventory node;
  node.ports = {test::port("mlx5_0", "0000:18:00.0", {2, 3}), test::port("mlx5_9", "0000:99:00.0", {0})};
  node.ports[0].state = PortState::down;
  node.ports[0].pci_path = {"host 0:0"};
  ASSERT_TRUE(merge_sysfs(tree.path(), {}, node).ok());
  ASSERT_EQ(node.ports.size(), 2U);
  EXPECT_EQ(node.ports[0].state, PortState::active);
  EXPECT_THAT(node.ports[0].numa, ElementsAre(2U, 3U)) << "hwloc knows more than numa_node";
  EXPECT_THAT(node.ports[0].pci_path, ElementsAre("host 0:0"));
  EXPECT_THAT(node.ports[0].pkeys, IsEmpty()) << "not asked for";
  EXPECT_TRUE(node.ports[0].gids.empty()) << "not asked for";
  EXPECT_EQ(node.ports[1].device, "mlx5_9");
  ASSERT_TRUE(merge_sysfs(tree.path(), {.complete = true}, node).ok());
  EXPECT_EQ(node.ports.size(), 1U) << "on the same machine a device that sysfs lacks does not exist";
}

TEST(Sysfs, NothingOlderCountsWhereSysfsSpeaks) {
  const TempTree tree;
  make_device(tree, "mlx5_0", "0000:18:00.0");
  const std::string port = "devices/pci0000:00/0000:18:00.0/infiniband/mlx5_0/ports/1/";
  tree.file(port + "lid", "0x0\n");
  tree.file(port + "state", "\n");
  std::filesystem::remove(tree.path(port + "link_layer"));
  Inventory node;
  node.ports = {test::port("mlx5_0", "0000:18:00.0", {0})};
  node.ports[0].lid = 0x77;
  ASSERT_TRUE(merge_sysfs(tree.path(), {}, node).ok());
  EXPECT_EQ(node.ports[0].lid, 0U) << "the subnet manager took it away";
  EXPECT_EQ(node.ports[0].state, PortState::unknown);
  EXPECT_EQ(node.ports[0].link_layer, LinkLayer::infiniband) << "where sysfs is silent the file speaks";
}

TEST(Sysfs, AMachineWithoutRdmaHasNoPorts) {
  const TempTree tree;
  Inventory node;
  node.ports = {test::port("mlx5_0", "0000:18:00.0", {0})};
  ASSERT_TRUE(merge_sysfs(tree.path(), {.complete = true}, node).ok());
  EXPECT_THAT(node.ports, IsEmpty());
}

TEST(Sysfs, ASecondPortKnowsWhereItsDeviceIs) {
  const TempTree tree;
  make_device(tree, "mlx5_0", "0000:18:00.0", "2");
  Inventory node;
  node.ports = {test::port("mlx5_0", "0000:18:00.0", {0})};
  node.ports[0].pci_path = {"host 0:0"};
  ASSERT_TRUE(merge_sysfs(tree.path(), {}, node).ok());
  ASSERT_EQ(node.ports.size(), 1U);
  EXPECT_EQ(node.ports[0].number, 2U);
  EXPECT_THAT(node.ports[0].pci_path, ElementsAre("host 0:0"));
}

TEST(Sysfs, HostileTreesEndSoonAndGiveNothing) {
  const TempTree tree;
  make_device(tree, "mlx5_0", "0000:18:00.0");
  const std::string port = "devices/pci0000:00/0000:18:00.0/infiniband/mlx5_0/ports/1/";
  std::filesystem::remove(tree.path(port + "state"));
  ASSERT_EQ(::mkfifo(tree.path(port + "state").c_str(), 0600), 0);
  tree.file(port + "rate", std::string(1 << 20, '9'));
  tree.file(port + "lid", std::string("0x2\0006", 5));
  tree.file(port + "gids/0", std::string(39, ':'));
  std::filesystem::remove(tree.path(port + "link_layer"));
  tree.link(port + "link_layer", "link_layer");
  tree.link("class/infiniband/loop", "loop");
  tree.link("class/infiniband/nowhere", "/nonexistent");
  tree.file("class/infiniband/file", "x");
  for (const char* name : {"0", "256", "-1", "x", "99999999999999999999"})
    tree.file("devices/pci0000:00/0000:18:00.0/infiniband/mlx5_0/ports/" + std::string(name) + "/state",
              "4: ACTIVE\n");
  Inventory node;
  ASSERT_TRUE(merge_sysfs(tree.path(), {.tables = true, .complete = true}, node).ok());
  ASSERT_EQ(node.ports.size(), 1U);
  EXPECT_EQ(node.ports[0].state, PortState::unknown);
  EXPECT_EQ(node.ports[0].rate_gbps, 0);
  EXPECT_EQ(node.ports[0].lid, 0U);
  EXPECT_EQ(node.ports[0].subnet_prefix, std::nullopt);
  EXPECT_EQ(node.ports[0].link_layer, LinkLayer::unknown);
}

}  // namespace
}  // namespace cib
