#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>
#include <set>
#include <tuple>
#include <utility>

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
  port.gids = {{0, "fe80:0000:0000:0000:506b:4b03:003c:eee8", GidType::roce_v2}, {7, "-"}, {8, ""}};
  port.without_gid = true;
  port.model = "15b3:1021";
  port.uverbs = 3;
  node.ports.push_back(port);
  node.ports.emplace_back();  // all defaults: unknown everywhere
  node.ports.back().device = "-";
  node.gpus = {{PciAddress{0, 7, 0, 0}, {0}, {"host 0:0"}, "nvml0", "GPU-1"},
               {PciAddress{0, 8, 0, 0}, {}, {}, "", ""}};
  return node;
}

TEST(InventoryCodec, GivesBackWhatItWasGiven) {
  const std::string text = encode_inventory(full());
  const auto decoded = decode_inventory(text);
  ASSERT_TRUE(decoded.ok()) << decoded.error().what << "\n" << text;
  EXPECT_EQ(encode_inventory(*decoded), text);
  EXPECT_EQ(*decoded, full());
}

// Nothing can be lost unseen but what full() leaves as it is. Where one of these does not compile, a field is
// new: name it here, and set it there.
auto fields(const Port& port) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x] = port;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x);
}
auto fields(const NumaNode& node) {
  const auto& [a, b, c] = node;
  return std::tie(a, b, c);
}
auto fields(const Gpu& gpu) {
  const auto& [a, b, c, d, e] = gpu;
  return std::tie(a, b, c, d, e);
}
auto fields(const Inventory& node) {
  const auto& [a, b, c, d, e] = node;
  return std::tie(a, b, c, d, e);
}

template <class T>
bool has_every_field_set(const T& value) {
  const T unset;
  const auto all_differ = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return (... && (std::get<I>(fields(value)) != std::get<I>(fields(unset))));
  };
  return all_differ(std::make_index_sequence<std::tuple_size_v<decltype(fields(value))>>());
}

TEST(InventoryCodec, IsAskedForEveryField) {
  const Inventory node = full();
  EXPECT_TRUE(has_every_field_set(node));
  EXPECT_TRUE(has_every_field_set(node.ports[0]));
  EXPECT_TRUE(has_every_field_set(node.numa_nodes[3]));
  EXPECT_TRUE(has_every_field_set(node.gpus[0]));
}

// A cache outlives an update of the package.
TEST(InventoryCodec, WritesWhatItAlwaysWrote) {
  Inventory node;
  node.numa_nodes.push_back({0, 1, test::cpus(0, 3)});
  node.distances = {{10, 21}};
  node.cores = {test::cpus(4, 5)};
  node.gpus = {{PciAddress{0, 7, 0, 0}, {0, 1}, {"host 0:0", ""}, "azAZ09_.:-", ""}};
  node.ports = {test::port("`{@[/;-", "0000:18:00.1", {0})};
  node.ports[0].pkeys = {0xffff, 0x8001};
  EXPECT_EQ(encode_inventory(node),
            "container-ib inventory 3\n"
            "numa 0 1 0xf\n"
            "slit 10,21\n"
            "core 0x30\n"
            "gpu 0000:07:00.0 0,1 host%200:0,- azAZ09_.:- -\n"
            "port %60%7b%40%5b%2f%3b- 1 0000:18:00.1 - mlx5_core 0 - 0 4 5 1 200 209 0 0 0 0 "
            "18338657682652659712 65535,32769 - - - 0 -\n");
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
  const std::string heading = "container-ib inventory 3\n";
  ASSERT_TRUE(decode_inventory(heading).ok());
  for (const char* line :
       {"\n", "x\n", "numa\n", "numa 0 0 0x1 1\n", "numa -1 0 0x1\n", "numa 4294967296 0 0x1\n",
        "numa 0 0 zz\n", "slit 1,,2\n", "core\n", "gpu x - - - -\n", "gpu 0000:00:00.0 - %4 - -\n",
        "gpu 0000:00:00.0 - - %zz -\n", "core 0x1", "port mlx5_0 1\n", " \n"}) {
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
  ASSERT_EQ(fields.size(), 25U);
  const std::set<std::size_t> names = {1, 5, 7, 20, 22};  // which can be any text
  for (std::size_t i = 0; i < fields.size(); ++i) {
    std::vector<std::string_view> changed(fields.begin(), fields.end());
    changed[i] = "zz";
    const auto decoded = decode_inventory("container-ib inventory 3\n" + join(changed, " ") + "\n");
    EXPECT_EQ(decoded.ok(), names.contains(i)) << i;
  }
  EXPECT_FALSE(decode_inventory("container-ib inventory 3\n" + std::string(line) + " 1\n").ok());
}

}  // namespace
}  // namespace cib
