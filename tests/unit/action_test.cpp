// Actions go through a journal as text and come back as they were.
#include "container_ib/action.hpp"

#include <gtest/gtest.h>

#include "container_ib/journal.hpp"
#include "container_ib/vf_guid.hpp"

namespace cib {
namespace {

Action through_a_journal(const Action& action) {
  const auto records = decode_journal(encode_record({1, Mark::intent, action.verb, action.fields}));
  EXPECT_TRUE(records.ok());
  return {records->front().verb, records->front().fields};
}

VfIdentity a_vf() {
  return {
      .pci = PciAddress{0, 0x21, 0, 3}, .physfn = PciAddress{0, 0x21, 0, 0}, .index = 2, .owner = "17.0@99"};
}

TEST(Action, KeepsTheVf) {
  const auto vf = vf_identity(through_a_journal(make_vf_names(a_vf(), "ib3", "mlx5_4")));
  ASSERT_TRUE(vf.ok());
  EXPECT_EQ(vf->pci, a_vf().pci);
  EXPECT_EQ(vf->physfn, a_vf().physfn);
  EXPECT_EQ(vf->index, 2U);
  EXPECT_EQ(vf->owner, "17.0@99");
}

TEST(Action, KeepsEverySettingOfAVfAndWhichWereNotGiven) {
  VfSettings all;
  all.link_state = VfLinkState::down;
  all.node_guid = 0xffffffffffffffff;
  all.port_guid = 0;
  all.vlan = 4094;
  all.qos = 7;
  all.min_tx_mbps = 1;
  all.max_tx_mbps = 400'000;
  all.spoof_check = false;
  all.trust = true;
  VfSettings some;
  some.trust = false;
  const Action action = through_a_journal(make_vf_settings(a_vf(), all, some));
  EXPECT_EQ(vf_settings(action.fields, "new_").value(), all);
  EXPECT_EQ(vf_settings(action.fields, "old_").value(), some);
}

TEST(Action, KeepsTheIpoibChild) {
  IpoibPlan plan;
  plan.parent = PciAddress{0, 0x18, 0, 1};
  plan.port = 2;
  plan.netns = "/run/container-ib/17.0/netns-3";
  plan.name = "ib0";
  plan.owner = "container-ib:17.0@99:netns-3:ib0";
  plan.temporary = temporary_link_name(plan.owner);
  plan.pkey = 0x8005;
  plan.connected = true;
  const auto kept = ipoib_plan(through_a_journal(make_ipoib_child(plan)));
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->parent, plan.parent);
  EXPECT_EQ(kept->port, 2U);
  EXPECT_EQ(kept->netns, plan.netns);
  EXPECT_EQ(kept->owner, plan.owner);
  EXPECT_EQ(kept->temporary, plan.temporary);
  EXPECT_EQ(kept->pkey, 0x8005);
  EXPECT_TRUE(kept->connected);
}

TEST(Action, OfTheDefaultPartitionNamesNone) {
  IpoibPlan plan;
  plan.port = 1;
  const auto kept = ipoib_plan(through_a_journal(make_ipoib_child(plan)));
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->pkey, std::nullopt);
  EXPECT_FALSE(kept->connected);
}

// A journal outlives an update of the package, and `container-ib list` shows it.
TEST(Action, IsWrittenAsItAlwaysWas) {
  IpoibPlan plan;
  plan.port = 1;
  plan.pkey = 0x8005;
  EXPECT_EQ(make_ipoib_child(plan).field("pkey"), "0x8005");
  EXPECT_EQ(make_vf_link(a_vf(), "/run/netns-3", "ib0", true).field("remade"), "yes");
  EXPECT_EQ(make_vf_link(a_vf(), "/run/netns-3", "ib0", false).field("remade"), "no");
}

TEST(Action, RaisesAnInterfaceWithWhatWasAskedForAndNoMore) {
  const Action asked = through_a_journal(make_link_up("/run/netns-3", "ib0", 4092, "10.40.0.1/16"));
  EXPECT_EQ(asked.field("netns"), "/run/netns-3");
  EXPECT_EQ(asked.field("name"), "ib0");
  EXPECT_EQ(asked.field("mtu"), "4092");
  EXPECT_EQ(asked.field("address"), "10.40.0.1/16");
  const Action bare = through_a_journal(make_link_up("/run/netns-3", "ib0", 0, ""));
  EXPECT_FALSE(bare.fields.contains("mtu")) << "the parent's";
  EXPECT_FALSE(bare.fields.contains("address"));
}

TEST(Action, ThatLacksItsFieldsIsRefused) {
  EXPECT_FALSE(vf_identity({"vf_link", {{"pci", "nonsense"}}}).ok());
  EXPECT_EQ(vf_identity({"vf_link", {{"pci", "0000:21:00.1"}, {"physfn", "0000:21:00.0"}}}).error().code,
            Errc::corrupt);
  EXPECT_EQ(vf_settings({{"old_trust", "maybe"}}, "old_").error().code, Errc::corrupt);
}

TEST(TemporaryLinkName, FitsTheKernelsLimitAndTellsOwnersApart) {
  EXPECT_EQ(temporary_link_name("a").size(), 15U);
  EXPECT_EQ(temporary_link_name("container-ib:17.0@99:netns-3:ib0"), "cibe03d7048e6d3")
      << "a later release's reaper looks for it";
  EXPECT_EQ(temporary_link_name("a"), temporary_link_name("a"));
  EXPECT_NE(temporary_link_name("a"), temporary_link_name("b"));
}

TEST(GeneratedVfGuid, IsLocalAndTellsVfsPortsAndPfsApart) {
  const auto guid = generated_vf_guid(0x506b4b03003ceee8, 3, VfGuid::port);
  EXPECT_EQ(guid, generated_vf_guid(0x506b4b03003ceee8, 3, VfGuid::port));
  EXPECT_NE(guid, generated_vf_guid(0x506b4b03003ceee8, 3, VfGuid::node));
  EXPECT_NE(guid, generated_vf_guid(0x506b4b03003ceee8, 2, VfGuid::port));
  EXPECT_NE(guid, generated_vf_guid(0x506b4b03003ceee9, 3, VfGuid::port));
  EXPECT_EQ(guid >> 56 & 3, 2U) << "locally administered, not a group";
  // A subnet manager may have them in its tables, so no release makes others.
  EXPECT_EQ(generated_vf_guid(0x506b4b03003ceee8, 3, VfGuid::node), 0x96b7fa81741d1fe5);
  EXPECT_EQ(guid, 0x76bd3378692dd5c4);
}

}  // namespace
}  // namespace cib
