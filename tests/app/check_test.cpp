// What `check` finds on a node in memory on which one thing at a time is no longer as a step left it.
#include "app/check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    node.site.modes = {Mode::verbs, Mode::vf, Mode::ipoib};
    node.site.vf.generate_guids = true;
    node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 16};
    node.add_vfs(2);
    node.exclusive = option.starts_with("vf");
    step.emplace(facts(option), node, node, node, node);
    step->prepare();
    if (step->needs_relay())
      step->relay_started(std::map<std::string, std::string>{{"relay_pid", "3"}, {"relay_start", "3"}});
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
  for (const char* option : {"verbs", "vf", "vf,scope=node", "ipoib"}) {
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
  node.ipoib_children.begin()->second = "elsewhere";
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
                     .verb = "netns",
                     .fields = {{"netns", "/state/17.0/netns-9"}}});
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

TEST_F(Check, OnlyWhatWasAskedFor) {
  start("ipoib");
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
