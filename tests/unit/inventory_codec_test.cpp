#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>
#include <set>

#include "container_ib/inventory.hpp"
#include "container_ib/text.hpp"
#include "support/node_builder.hpp"

namespace cib {
namespace {

// Every field of every kind set to something that no other field has.
Inventory full() {
  Inventory node = test::numa_node(2, 2);
  node.numa_nodes.push_back({252, UINT_MAX, {}});
  Port port = test::port("mlx5_0", "10000:e1:1f.7", {1, 252});
  port.number = 2;
  port.physfn = PciAddress{3, 4, 5, 6};
  port.pci_path = {"host 0:12", "", "100%", "a,b c", "-", std::string("\xff\0\n", 3)};
  port.pci_gbps = 252.0635;
  port.phys_state = PhysState::phy_test;
  port.link_layer = LinkLayer::ethernet;
  port.rate_gbps = 2.5;
  port.lid = 0xbffe;
  port.sm_lid = 7;
  port.node_guid = UINT64_MAX;
  port.sys_image_guid = 8;
  port.port_guid = 9;
  port.subnet_prefix = 0xfec0000000000001;
  port.pkeys = {0xffff, 0x8001};
  port.netdevs = {"ib0", "eth\t1"};
  node.ports.push_back(port);
  node.ports.emplace_back();  // all defaults: unknown everywhere
  node.ports.back().device = "-";
  node.gpus = {{PciAddress{0, 7, 0, 0}, {0}, {"host 0:0"}, "nvml0"}, {PciAddress{0, 8, 0, 0}, {}, {}, ""}};
  return node;
}

TEST(InventoryCodec, GivesBackWhatItWasGiven) {
  const std::string text = encode_inventory(full());
  const auto decoded = decode_inventory(text);
  ASSERT_TRUE(decoded.ok()) << decoded.error().what << "\n" << text;
  EXPECT_EQ(encode_inventory(*decoded), text);
  EXPECT_EQ(decoded->numa_nodes[4].package, UINT_MAX);
  EXPECT_EQ(decoded->distances, full().distances);
  EXPECT_EQ(decoded->cores, full().cores);
  const Inventory node = full();
  const Port &before = node.ports[0], &after = decoded->ports[0];
  EXPECT_EQ(after.name(), before.name());
  EXPECT_EQ(after.pci, before.pci);
  EXPECT_EQ(after.physfn, before.physfn);
  EXPECT_EQ(after.driver, before.driver);
  EXPECT_EQ(after.numa, before.numa);
  EXPECT_EQ(after.pci_path, before.pci_path);
  EXPECT_EQ(after.pci_gbps, before.pci_gbps);
  EXPECT_EQ(after.state, before.state);
  EXPECT_EQ(after.phys_state, before.phys_state);
  EXPECT_EQ(after.link_layer, before.link_layer);
  EXPECT_EQ(after.rate_gbps, before.rate_gbps);
  EXPECT_EQ(after.lid, before.lid);
  EXPECT_EQ(after.sm_lid, before.sm_lid);
  EXPECT_EQ(after.node_guid, before.node_guid);
  EXPECT_EQ(after.sys_image_guid, before.sys_image_guid);
  EXPECT_EQ(after.port_guid, before.port_guid);
  EXPECT_EQ(after.subnet_prefix, before.subnet_prefix);
  EXPECT_EQ(after.pkeys, before.pkeys);
  EXPECT_EQ(after.netdevs, before.netdevs);
  EXPECT_EQ(decoded->ports[1].device, "-");
  EXPECT_EQ(decoded->ports[1].state, PortState::unknown);
  EXPECT_EQ(decoded->ports[1].pci, std::nullopt);
  EXPECT_EQ(decoded->gpus[0].name, "nvml0");
  EXPECT_EQ(decoded->gpus[1].pci_path, std::vector<std::string>{});
}

// A cache outlives an update of the package.
TEST(InventoryCodec, WritesWhatItAlwaysWrote) {
  Inventory node;
  node.numa_nodes.push_back({0, 1, test::cpus(0, 3)});
  node.distances = {{10, 21}};
  node.cores = {test::cpus(4, 5)};
  node.gpus = {{PciAddress{0, 7, 0, 0}, {0, 1}, {"host 0:0", ""}, "azAZ09_.:-"}};
  node.ports = {test::port("`{@[/;-", "0000:18:00.1", {0})};
  node.ports[0].pkeys = {0xffff, 0x8001};
  EXPECT_EQ(encode_inventory(node),
            "container-ib inventory 1\n"
            "numa 0 1 0xf\n"
            "slit 10,21\n"
            "core 0x30\n"
            "gpu 0000:07:00.0 0,1 host%200:0,- azAZ09_.:-\n"
            "port %60%7b%40%5b%2f%3b- 1 0000:18:00.1 - mlx5_core 0 - 0 4 5 1 200 16 0 0 0 0 "
            "18338657682652659712 65535,32769 -\n");
}

TEST(InventoryCodec, ReadsWhatALaterVersionMayKnow) {
  Inventory node = full();
  node.ports[0].state = static_cast<PortState>(6);
  node.ports[0].phys_state = static_cast<PhysState>(8);
  node.ports[0].link_layer = static_cast<LinkLayer>(3);
  const auto decoded = decode_inventory(encode_inventory(node));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->ports[0].state, PortState::unknown);
  EXPECT_EQ(decoded->ports[0].phys_state, PhysState::unknown);
  EXPECT_EQ(decoded->ports[0].link_layer, LinkLayer::unknown);
  node.ports[0].state = PortState::active_defer;
  EXPECT_EQ(decode_inventory(encode_inventory(node))->ports[0].state, PortState::active_defer);
}

TEST(InventoryCodec, RefusesEveryTruncation) {
  const std::string text = encode_inventory(full());
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < text.size(); ++size)
    if (decode_inventory(std::string_view(text).substr(0, size))) ++accepted;
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  EXPECT_EQ(accepted, lines - 1) << "only whole lines are a shorter inventory";
}

TEST(InventoryCodec, RefusesWhatItWouldNotWrite) {
  const std::string heading = "container-ib inventory 1\n";
  ASSERT_TRUE(decode_inventory(heading).ok());
  for (const char* line :
       {"\n", "x\n", "numa\n", "numa 0 0 0x1 1\n", "numa -1 0 0x1\n", "numa 4294967296 0 0x1\n",
        "numa 0 0 zz\n", "slit 1,,2\n", "core\n", "gpu x - - -\n", "gpu 0000:00:00.0 - %4 -\n",
        "gpu 0000:00:00.0 - - %zz\n", "core 0x1", "port mlx5_0 1\n", " \n"}) {
    const auto decoded = decode_inventory(heading + line);
    ASSERT_FALSE(decoded.ok()) << line;
    EXPECT_EQ(decoded.error().code, Errc::corrupt);
  }
  EXPECT_FALSE(decode_inventory("container-ib inventory 2\n").ok());
}

TEST(InventoryCodec, RefusesAPortOfWhichOneFieldIsNot) {
  Inventory node;
  node.ports = {full().ports[0]};
  const std::string text = encode_inventory(node);
  const auto line = split(text, '\n')[1];
  const auto fields = split(line, ' ');
  ASSERT_EQ(fields.size(), 21U);
  const std::set<std::size_t> names = {1, 5, 7, 20};  // which can be any text
  for (std::size_t i = 0; i < fields.size(); ++i) {
    std::vector<std::string_view> changed(fields.begin(), fields.end());
    changed[i] = "zz";
    const auto decoded = decode_inventory("container-ib inventory 1\n" + join(changed, " ") + "\n");
    EXPECT_EQ(decoded.ok(), names.contains(i)) << i;
  }
  EXPECT_FALSE(decode_inventory("container-ib inventory 1\n" + std::string(line) + " 1\n").ok());
}

}  // namespace
}  // namespace cib
