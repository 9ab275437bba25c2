// What `check` finds on a node in memory on which one thing at a time is no longer as a step left it.
#include "app/check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "app/step_fixture.hpp"

namespace cib::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

struct Check : testing::Test {
  // A step of four tasks that are all at work.
  void start(const std::string& option) {
    node.site.modes = all_modes();
    node.site.vf.generate_guids = true;
    node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 16};
    node.site.overlay = {{.nodes = {"n[0-7]"}, .first = "10.20.0.1/16"}};
    option.starts_with("device") ? node.add_devices() : node.add_vfs(2);
    if (option.starts_with("macvlan")) node.be_ethernet();
    node.exclusive = option.starts_with("vf") || option.starts_with("device");
    step.emplace(facts(option), node, node, node, node);
    step->prepare();
    if (step->needs_relay()) step->relay_started(ProcessIdentity{"3", "3"});
    fork_tasks(*step);
    release_tasks(*step);
    for (unsigned id = 0; id < four_tasks; ++id) ASSERT_EQ(node.task(id).answer, "granted");
  }
  Checked look(const std::string& which = "") {
    auto checked = check(node, node, which);
    EXPECT_TRUE(checked.ok());
    return checked.ok() ? *checked : Checked{};
  }
  FakeNode node{four_tasks};
  std::optional<Step> step;
};

TEST_F(Check, AStepAtWorkIsAsRecordedInEachMode) {
  for (const char* option :
       {"verbs", "vf", "vf,scope=node", "ipoib", "macvlan", "overlay", "device,scope=node"}) {
    node = FakeNode(four_tasks);
    start(option);
    const Checked checked = look();
    EXPECT_THAT(checked.attachments, ElementsAre("17.0")) << option;
    EXPECT_THAT(checked.faults, IsEmpty()) << option;
  }
}

TEST_F(Check, AVfThatWentHomeIsNamedByAction) {
  start("vf");
  node.vfs[0].rdma_in.clear();
  EXPECT_THAT(look().faults, ElementsAre(AllOf(StartsWith("step 17.0: rdma_move: "), HasSubstr("scancel"))));
  node.vfs[0].netdev_in.clear();
  EXPECT_THAT(look().faults, SizeIs(2));
}

TEST_F(Check, ASettingThatSomebodyChanged) {
  start("vf");
  node.vfs[0].settings.port_guid = 1;
  EXPECT_THAT(look().faults, ElementsAre(StartsWith("step 17.0: vf_settings: ")));
}

TEST_F(Check, AnInterfaceThatIsDownAndOneThatIsGone) {
  start("ipoib");
  node.raised.begin()->second.clear();
  EXPECT_THAT(look().faults, ElementsAre(StartsWith("step 17.0: link_up: ")));
  node.made_links.begin()->second = "elsewhere";
  EXPECT_THAT(look().faults, SizeIs(2));
}

TEST_F(Check, AClaimMustBeTheSteps) {
  start("ipoib");
  node.claimed["address-0"] = "another step";
  EXPECT_THAT(look().faults, ElementsAre(StartsWith("step 17.0: claim: ")));
}

TEST_F(Check, ANetworkNamespaceThatNothingKeeps) {
  start("ipoib");
  node.network_namespaces.erase(node.network_namespaces.begin());
  EXPECT_THAT(look().faults, ElementsAre(StartsWith("step 17.0: netns: ")));
}

TEST_F(Check, TheAgentAndTheRelayMustLive) {
  start("ipoib");
  node.agent_alive = node.relay_alive = false;
  EXPECT_THAT(look().faults, ElementsAre(HasSubstr("its agent, pid 2, has died"),
                                         HasSubstr("relay to the PMIx server, pid 3, has died")));
}

TEST_F(Check, ATaskMustSeeItsDevicesWhileItLives) {
  start("verbs");
  node.task(2).devices.clear();
  EXPECT_THAT(look().faults,
              ElementsAre(StartsWith("step 17.0: task 2, pid 1002: it does not see mlx5_1:1")));
  node.task(2).alive = false;
  EXPECT_THAT(look().faults, IsEmpty());
}

TEST_F(Check, WhatWasOnlyBegunNeedNotHold) {
  start("ipoib");
  auto& records = node.journals["17.0"];
  records.push_back({.seq = static_cast<std::uint32_t>(records.size() + 1),
                     .mark = Mark::intent,
                     .event = MakeNetns{"/state/17.0/netns-9"}});
  EXPECT_THAT(look().faults, IsEmpty());
}

TEST_F(Check, AStepWhoseTasksHaveEndedIsPassedOver) {
  start("ipoib");
  node.network_namespaces.clear();
  for (unsigned id = 0; id < four_tasks; ++id) node.task(id).alive = false;
  const Checked checked = look();
  EXPECT_THAT(checked.attachments, IsEmpty());
  EXPECT_THAT(checked.faults, IsEmpty());
  EXPECT_EQ(checked.changing, 1U);
}

TEST_F(Check, WhatFailedBeforeTheStepWentOnHidesNothing) {
  node.unclaimable["address-1"] = Errc::in_use;
  start("ipoib");
  EXPECT_THAT(look().faults, IsEmpty());
  for (auto& [netns, interfaces] : node.raised) interfaces.clear();
  EXPECT_THAT(look().faults, SizeIs(4));
}

TEST_F(Check, ATaskMustSeeAllOfItsDevicesThatItStillHas) {
  start("verbs,rails=2");
  node.task(2).devices.erase("mlx5_1");
  EXPECT_THAT(look().faults, ElementsAre(HasSubstr("task 2, pid 1002: it does not see mlx5_1:1")));
  for (unsigned id = 0; id < 2; ++id) {
    node.task(id).devices.clear();  // and so it was written down
    auto& records = node.journals["17.0"];
    records.push_back({.seq = static_cast<std::uint32_t>(records.size() + 1),
                       .mark = Mark::undone,
                       .event = DevicesMounted{id, ""}});
  }
  EXPECT_THAT(look().faults, SizeIs(1)) << "task 2 only";
}

// Asks the node, and lets something happen to it after the first answer.
struct Meanwhile final : Kernel {
  Meanwhile(FakeNode& asked, std::function<void()> what) : node(asked), happens(std::move(what)) {}
  Status apply(const Action& action) override { return node.apply(action); }
  Status undo(const Action& action) override { return node.undo(action); }
  Status verify(const Action& action) override {
    auto status = node.verify(action);
    std::exchange(happens, [] {})();
    return status;
  }
  Result<std::unique_ptr<ClaimsTurn>> claims_turn() override { return node.claims_turn(); }
  FakeNode& node;
  std::function<void()> happens;
};

TEST_F(Check, AStepThatEndsWhileItIsLookedAtHasNoFaults) {
  const std::pair<const char*, std::function<void()>> ends[] = {
      {"it writes",
       [&] {
         node.journals["17.0"].push_back({.seq = 99, .mark = Mark::undone, .event = Undone{"claim", 3}});
       }},
      {"it is gone", [&] { node.journals.clear(); }},
      {"nobody can read it",
       [&] { node.journals.clear(), node.unreadable["17.0"] = error(Errc::not_found, "gone"); }},
      {"its tasks have ended", [&] {
         for (unsigned id = 0; id < four_tasks; ++id) node.task(id).alive = false;
       }}};
  for (const auto& [what, happens] : ends) {
    node = FakeNode(four_tasks);
    start("ipoib");
    node.claimed.clear();
    Meanwhile kernel(node, happens);
    const auto checked = check(node, kernel, "");
    ASSERT_TRUE(checked.ok());
    EXPECT_THAT(checked->faults, IsEmpty()) << what;
    EXPECT_EQ(checked->changing, 1U) << what;
  }
}

TEST_F(Check, AJournalThatCannotBeReadIsAFault) {
  start("ipoib");
  node.unreadable["18.0"] = error(Errc::corrupt, "journal line 3: checksum differs");
  EXPECT_THAT(look().faults,
              ElementsAre("step 18.0: journal line 3: checksum differs; look at its journal and "
                          "remove the directory by hand"));
}

TEST_F(Check, OnlyWhatWasAskedFor) {
  start("ipoib");
  node.journals["16.0"] = node.journals["17.0"];
  EXPECT_THAT(look("17").attachments, SizeIs(1));
  EXPECT_THAT(look("17.0").attachments, SizeIs(1));
  for (const char* other : {"1", "170", "17.1"}) {
    const auto checked = check(node, node, other);
    ASSERT_FALSE(checked.ok()) << other;
    EXPECT_EQ(checked.error().code, Errc::not_found);
  }
}

TEST_F(Check, AnOrphanIsTheReapersUnlessAskedFor) {
  start("ipoib");
  node.agent_alive = node.stepd_alive = false;
  EXPECT_THAT(look().faults, IsEmpty());
  EXPECT_THAT(look("17.0").faults, ElementsAre(HasSubstr("container-ib reap")));
}

}  // namespace
}  // namespace cib::test
