#include "app/reap.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "support/fake_node.hpp"

namespace cib::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<Record> journal(const std::string& boot = "boot") {
  return {{1, Mark::done, opened_by(boot)}, {2, Mark::done, TaskNoted{0, {{"1000", "7"}, "", ""}}}};
}

// Done to the node, and in the journal of step 17.0.
void carry_out(FakeNode& node, const std::vector<Action>& actions) {
  const auto turn = node.claims_turn();
  auto& records = node.journals["17.0"] = journal();
  for (const Action& action : actions) {
    records.push_back(
        {.seq = static_cast<std::uint32_t>(records.size() + 1), .mark = Mark::intent, .event = action});
    ASSERT_TRUE(node.apply(action).ok());
  }
}

TEST(Reap, SkipsAStepWhoseSlurmstepdLives) {
  for (const bool agent : {false, true}) {
    FakeNode node(1);
    node.journals["17.0"] = journal();
    node.agent_alive = agent;
    const auto reaped = reap(node, node, "");
    EXPECT_THAT(reaped->given_back, IsEmpty());
    EXPECT_THAT(reaped->findings, IsEmpty());
    EXPECT_TRUE(node.task(0).alive);
    EXPECT_THAT(node.journals, SizeIs(1));
  }
}

TEST(Reap, WaitsForTheAgentOfADeadSlurmstepd) {
  FakeNode node(1);
  node.journals["17.0"] = journal();
  node.stepd_alive = false;
  node.agent_ends = false;
  const auto reaped = reap(node, node, "");
  EXPECT_THAT(
      reaped->findings,
      ElementsAre("step 17.0: slurmstepd has died, and its agent, pid 2, has not ended; what it holds "
                  "stays out of use until it ends, then run 'container-ib reap'"));
  EXPECT_TRUE(node.task(0).alive);
  EXPECT_THAT(node.journals, SizeIs(1));
  node.agent_ends = true;
  EXPECT_THAT(reap(node, node, "")->given_back, ElementsAre("17.0"));
}

TEST(Reap, TellsDuringWhatTheAgentDied) {
  const auto death_after = [](const Record& last) {
    FakeNode node(1);
    node.journals["17.0"] = journal();
    node.journals["17.0"].push_back(last);
    node.agent_alive = node.stepd_alive = false;
    return reap(node, node, "")->deaths;
  };
  EXPECT_THAT(
      death_after({3, Mark::intent, DevicesMounted{0, ""}}),
      ElementsAre("step 17.0: its agent died during mount_devices of task 0 (record 3); its journal is "
                  "kept in /state/died/17.0"));
  EXPECT_THAT(death_after({3, Mark::done, PortsNoted{}}),
              ElementsAre("step 17.0: its agent died after ports (record 3); its journal is kept in "
                          "/state/died/17.0"));
}

TEST(Reap, TheStepOfASlurmstepdThatEndsItIsOver) {
  FakeNode node(1);
  node.journals["17.0"] = journal();
  node.agent_alive = false;
  EXPECT_THAT(reap(node, node, "17", "99")->given_back, IsEmpty()) << "another's";
  EXPECT_THAT(reap(node, node, "17", "1")->given_back, ElementsAre("17.0"));
}

TEST(Reap, EndsTheOrphansOfADeadStep) {
  FakeNode node(1);
  node.journals["17.0"] = journal();
  node.agent_alive = node.stepd_alive = false;
  EXPECT_THAT(reap(node, node, "")->given_back, ElementsAre("17.0"));
  EXPECT_FALSE(node.task(0).alive);
}

TEST(Reap, KillsNothingForAJournalOfAnEarlierBoot) {
  FakeNode node(1);
  node.journals["17.0"] = journal("another boot");
  node.agent_alive = node.stepd_alive = false;
  EXPECT_THAT(reap(node, node, "")->given_back, ElementsAre("17.0"));
  EXPECT_TRUE(node.task(0).alive) << "its pid belongs to somebody else by now";
}

TEST(Reap, OfOneJobLeavesOthersAlone) {
  FakeNode node(1);
  node.journals["17.0"] = node.journals["17.batch"] = node.journals["170.0"] = journal();
  node.agent_alive = node.stepd_alive = false;
  EXPECT_THAT(reap(node, node, "17")->given_back, ElementsAre("17.0", "17.batch"));
  EXPECT_THAT(node.journals, SizeIs(1));
}

// Both have read the journal; the second one waits until the first has given all back, and somebody else has
// it.
TEST(Reap, UndoesNothingThatAnotherReaperHasUndoneMeanwhile) {
  FakeNode node(1);
  node.journals["17.0"] = journal();
  node.journals["17.0"].push_back({3, Mark::intent, Claim{"address-1", "17.0@2"}});
  node.claimed["address-1"] = "17.0@2";
  node.agent_alive = node.stepd_alive = false;
  std::vector<std::string> of_the_first;
  node.another_reaper = [&] { of_the_first = reap(node, node, "")->given_back; };
  const auto second = reap(node, node, "");
  EXPECT_THAT(of_the_first, ElementsAre("17.0"));
  EXPECT_THAT(second->given_back, IsEmpty());
  EXPECT_THAT(second->findings, IsEmpty());
  EXPECT_THAT(node.claimed, IsEmpty());
}

TEST(Reap, KeepsAJournalThatCannotBeReadForAPersonToLookAt) {
  FakeNode node(1);
  node.unreadable["17.0"] = error(Errc::corrupt, "journal line 3: checksum differs");
  node.unreadable["18.0"] = error(Errc::not_found, "no journal");
  const auto reaped = reap(node, node, "");
  EXPECT_THAT(reaped->findings,
              ElementsAre("step 17.0: journal line 3: checksum differs; kept, look at it and "
                          "remove the directory by hand"));
  EXPECT_THAT(reaped->given_back, ElementsAre("18.0")) << "its agent died before it had one";
  EXPECT_TRUE(node.unreadable.contains("17.0"));
}

TEST(Reap, KeepsWhatAProcessThatCannotBeKilledMayHold) {
  FakeNode node(1);
  node.journals["17.0"] = journal();
  node.agent_alive = node.stepd_alive = false;
  node.unkillable = {"0"};
  const auto reaped = reap(node, node, "");
  EXPECT_THAT(
      reaped->findings,
      ElementsAre("step 17.0: pid 1000 (stuck) cannot be killed; what it holds stays out of use until it "
                  "ends, then run 'container-ib reap'"));
  EXPECT_THAT(reaped->given_back, IsEmpty());
  EXPECT_THAT(node.journals, SizeIs(1));
}

TEST(Reap, OneStepStopsNoOther) {
  FakeNode node(1);
  for (const char* step : {"16.0", "17.0", "18.0"}) node.journals[step] = journal();
  node.journals["17.0"].front().event = opened_by("boot", "3");  // which lives
  node.agent_alive = node.stepd_alive = false;
  node.inject(1, Fault::fails);
  const auto reaped = reap(node, node, "");
  EXPECT_THAT(reaped->findings, ElementsAre(testing::StartsWith("step 16.0: injected: ")));
  EXPECT_THAT(reaped->given_back, ElementsAre("18.0"));
  EXPECT_THAT(node.journals, SizeIs(2));
}

// A VF's link does not come home: its claim and namespace stay, and what has nothing to do with it goes.
TEST(Reap, WhatRestsOnWhatDoesNotComeBackStays) {
  FakeNode node(1);
  node.add_vfs(1);
  VfIdentity vf = node.vfs[0].identity;
  vf.owner = "17.0@2";
  const std::string pci = vf.pci.text(), netns = "/state/17.0/netns-0";
  carry_out(node, {MakeNetns{netns}, MakeNetns{"/state/17.0/netns-1"}, Claim{pci, "17.0@2"},
                   MoveVfLink{vf, netns, "ib0", false}, Claim{"address-0", "17.0@2#0"}});
  node.agent_alive = node.stepd_alive = false;
  node.inject(node.changes() + 2, Fault::fails);
  EXPECT_THAT(
      reap(node, node, "")->findings,
      ElementsAre(
          "step 17.0: could not give back vf_link: injected: vf_link: Input/output error; it stays out "
          "of use, and the next 'container-ib reap' tries again"));
  EXPECT_THAT(node.claimed, ElementsAre(testing::Pair(pci, "17.0@2")));
  EXPECT_THAT(node.network_namespaces, ElementsAre(netns));
  EXPECT_THAT(reap(node, node, "")->given_back, ElementsAre("17.0"));
  EXPECT_THAT(node.claimed, IsEmpty());
  EXPECT_THAT(node.network_namespaces, IsEmpty());
}

// They share the HCA, and with scope=node the namespace too; each is removed for itself.
TEST(Reap, AnIpoibChildThatDoesNotGoKeepsNoOther) {
  for (const std::string second_netns : {"/state/17.0/netns-0", "/state/17.0/netns-1"}) {
    FakeNode node(1);
    const PciAddress hca = node.node.ports[0].pci.value();
    const auto child = [&](const NetnsFile& netns, const std::string& name) {
      return MakeIpoibChild{.parent = hca, .netns = netns, .name = name, .owner = netns + name};
    };
    std::vector<Action> actions = {MakeNetns{"/state/17.0/netns-0"}};
    if (second_netns != "/state/17.0/netns-0") actions.push_back(MakeNetns{second_netns});
    actions.push_back(child("/state/17.0/netns-0", "ib0"));
    actions.push_back(child(second_netns, "ib1"));
    carry_out(node, actions);
    node.agent_alive = node.stepd_alive = false;
    node.inject(node.changes() + 1, Fault::fails);
    EXPECT_THAT(reap(node, node, "")->findings,
                ElementsAre(testing::StartsWith("step 17.0: could not give back ipoib_child: injected")));
    EXPECT_THAT(node.made_links, ElementsAre(testing::Key(second_netns + "ib1")));
    EXPECT_THAT(node.network_namespaces, ElementsAre(second_netns));
    EXPECT_THAT(reap(node, node, "")->given_back, ElementsAre("17.0"));
  }
}

// scope=node: the VFs of several HCAs in one namespace.
TEST(Reap, AVfThatDoesNotComeHomeKeepsNoOtherInTheSameNamespace) {
  FakeNode node(1);
  node.add_vfs(1);
  const NetnsFile netns = "/state/17.0/netns-node";
  std::vector<Action> actions = {MakeNetns{netns}};
  for (const FakeVf& one : node.vfs) {
    VfIdentity vf = one.identity;
    vf.owner = "17.0@2";
    actions.push_back(Claim{vf.pci.text(), vf.owner});
    actions.push_back(MoveVfLink{vf, netns, one.netdev, false});
  }
  carry_out(node, actions);
  node.agent_alive = node.stepd_alive = false;
  node.inject(node.changes() + 1, Fault::fails);
  EXPECT_THAT(reap(node, node, "")->findings, SizeIs(1));
  EXPECT_THAT(node.claimed, ElementsAre(testing::Key(node.vfs[1].identity.pci.text())));
  EXPECT_EQ(node.vfs[0].netdev_in, "");
  EXPECT_THAT(node.network_namespaces, ElementsAre(netns));
}

TEST(Reap, RemovesAnEmptyJournal) {
  FakeNode node(1);
  node.journals["17.0"] = {};
  EXPECT_THAT(reap(node, node, "")->given_back, ElementsAre("17.0"));
}

}  // namespace
}  // namespace cib::test
