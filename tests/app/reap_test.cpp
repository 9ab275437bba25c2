#include "app/reap.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_node.hpp"

namespace cib::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<Record> journal(const std::string& boot = "boot") {
  Record open{.seq = 1, .mark = Mark::done, .verb = "open", .fields = {}};
  open.fields = {
      {"boot", boot}, {"stepd_pid", "1"}, {"stepd_start", "1"}, {"agent_pid", "2"}, {"agent_start", "2"}};
  Record task{
      .seq = 2, .mark = Mark::done, .verb = "task", .fields = {{"task_pid", "1000"}, {"task_start", "7"}}};
  return {open, task};
}

TEST(Reap, SkipsAStepWithALivingOwner) {
  for (const bool agent : {false, true}) {
    FakeNode node(1);
    node.journals["17.0"] = journal();
    node.agent_alive = agent;
    node.stepd_alive = !agent;
    EXPECT_THAT(reap(node, node, "")->given_back, IsEmpty());
    EXPECT_TRUE(node.task(0).alive);
    EXPECT_THAT(node.journals, SizeIs(1));
  }
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
  Record claim{.seq = 3,
               .mark = Mark::intent,
               .verb = "claim",
               .fields = {{"name", "address-1"}, {"owner", "17.0@2"}}};
  node.journals["17.0"].push_back(claim);
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

TEST(Reap, RemovesAnEmptyJournal) {
  FakeNode node(1);
  node.journals["17.0"] = {};
  EXPECT_THAT(reap(node, node, "")->given_back, ElementsAre("17.0"));
}

}  // namespace
}  // namespace cib::test
