// What holds for every mode, also for one that is added.
#include <gtest/gtest.h>

#include "app/modes/mode_unit.hpp"
#include "support/fake_node.hpp"

namespace cib::test {
namespace {

TEST(Modes, MakeInterfacesIfAndOnlyIfTheirTasksMayBePrivate) {
  FakeNode node(1);
  const Settings settings;
  for (const Mode mode : all_modes()) {
    const ModeUnit* unit = unit_of(mode);
    ASSERT_EQ(unit != nullptr, check_mode(mode).ok()) << mode_name(mode);
    if (unit == nullptr) continue;
    const auto interfaces = unit->interfaces({.node = node,
                                              .settings = settings,
                                              .site = node.site,
                                              .node_name = "n0",
                                              .owner = "17.0@2:1000",
                                              .rdma_is_exclusive = false,
                                              .network_of = {},
                                              .run = [](const Action&) { return Status(); }});
    EXPECT_EQ(interfaces != nullptr, may_be_private(mode)) << mode_name(mode);
  }
}

// Of a described node nobody knows how its RDMA subsystem or its interfaces are, and that is no hindrance.
TEST(Modes, AreNotHinderedByWhatADescriptionDoesNotSay) {
  FakeNode node(1);
  node.add_vfs(1);
  for (Port& port : node.node.ports) port.netdevs.clear();
  const NodeFacts described{
      .name = "n0", .inventory = node.node, .site = node.site, .rdma_is_exclusive = std::nullopt};
  for (const Mode mode : {Mode::verbs, Mode::ipoib}) {
    EXPECT_TRUE(unit_of(mode)->suits(described).ok()) << mode_name(mode);
    EXPECT_EQ(unit_of(mode)->lacks(described), "") << mode_name(mode);
    EXPECT_EQ(unit_of(mode)->caveat(described), "") << mode_name(mode);
  }
}

TEST(Modes, ThatLeaveTheDeviceOnTheNodeRefuseTheExclusiveMode) {
  FakeNode node(1);
  const NodeFacts exclusive{
      .name = "n0", .inventory = node.node, .site = node.site, .rdma_is_exclusive = Result<bool>(true)};
  EXPECT_FALSE(unit_of(Mode::ipoib)->suits(exclusive).ok());
  EXPECT_TRUE(unit_of(Mode::vf)->suits(exclusive).ok());
}

}  // namespace
}  // namespace cib::test
