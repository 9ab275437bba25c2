// Every change that serving a step makes: it fails, or the agent dies before or after it. Whatever happens,
// no task is left with half an attachment and an answer that says otherwise, and reaping (twice) leaves
// nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/reap.hpp"
#include "app/step_fixture.hpp"

namespace cib::test {
namespace {

struct Case {
  const char* option;
  bool exclusive;
  bool container = false;     // a plugin makes one for all tasks
  bool reads_folder = false;  // the tasks start an engine that does
};

// On a node with VFs, which the modes that want none leave alone.
FakeNode node_for(const Case& one) {
  FakeNode node(four_tasks);
  node.site.modes = all_modes();
  node.site.vf.generate_guids = true;
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n0"}, .per_node = 8};
  node.site.overlay = {{.nodes = {"n0"}, .first = "10.20.0.1/16"}};
  const std::string_view option = one.option;
  option.starts_with("device") ? node.add_devices() : node.add_vfs(2);
  node.exclusive = one.exclusive;
  if (option.starts_with("macvlan") || option.find("roce") != std::string_view::npos) node.be_ethernet();
  return node;
}

void serve(FakeNode& node, const Case& one) {
  StepFacts known = facts(one.option);
  known.reads_folder = one.reads_folder;
  Step step(known, node, node, node, node);
  TaskFacts said;
  if (one.container) said.container.id = "4711";
  fork_tasks(step, true, one.container ? "--container-image" : "");
  for (unsigned id = 0; id < four_tasks; ++id) step.task_ready(id, said);
  for (unsigned id = 0; id < four_tasks; ++id) step.task_died(id);
  (void)step.finish();
}

unsigned changes_of_a_good_run(const Case& one) {
  FakeNode node = node_for(one);
  serve(node, one);
  return node.changes();
}

constexpr Case cases[] = {{"verbs", false},
                          {"verbs,require=no", false},
                          {"verbs", false, true},
                          {"verbs,require=no", false, true},
                          {"vf", true},
                          {"vf", true, true},
                          {"vf", false},
                          {"vf,scope=node", true},
                          {"ipoib", false},
                          {"ipoib,scope=node,require=no", false},
                          {"vf,roce=only", true},
                          {"device,scope=node", true},
                          {"device,scope=node", false},
                          {"device,scope=node,roce=only", true, true},
                          {"macvlan", false},
                          {"macvlan,scope=node,require=no", false},
                          {"overlay", false},
                          {"overlay,scope=node", false, true},
                          {"verbs", false, false, true},
                          {"vf", true, false, true}};

// slurmstepd ends (its tasks with it) and the epilog reaps.
void expect_that_reaping_leaves_nothing(FakeNode& node, const std::vector<FakeVf>& vfs_before,
                                        const std::string& where) {
  node.agent_alive = node.stepd_alive = false;
  for (int twice = 0; twice < 2; ++twice) {
    const auto reaped = reap(node, node, "17");
    ASSERT_TRUE(reaped.ok());
    EXPECT_THAT(reaped->findings, testing::IsEmpty()) << where;
  }
  EXPECT_THAT(node.journals, testing::IsEmpty()) << where;
  EXPECT_THAT(node.network_namespaces, testing::IsEmpty()) << where;
  EXPECT_THAT(node.folders, testing::IsEmpty()) << where;
  EXPECT_THAT(node.claimed, testing::IsEmpty()) << where;
  EXPECT_THAT(node.made_links, testing::IsEmpty()) << where;
  EXPECT_EQ(node.vfs, vfs_before) << where;
}

// The state directory's file system is full from each change on, and has room again before the epilog.
TEST(FullStateDirectory, RefusesEachStepAndLeavesNothing) {
  for (const Case& one : cases) {
    const unsigned changes = changes_of_a_good_run(one);
    for (unsigned from = 1; from <= changes; ++from) {
      FakeNode node = node_for(one);
      const auto vfs_before = node.vfs;
      node.fill_state(from);
      serve(node, one);
      node.make_room();
      const std::string where = std::string(one.option) + " full from change " + std::to_string(from);
      for (unsigned id = 0; id < four_tasks; ++id) {
        const std::string answer = node.task(id).answer.value_or("none");
        EXPECT_NE(answer, "none") << where << " task " << id;
        EXPECT_TRUE(answer != "granted" || !node.task(id).granted.empty()) << where << " task " << id;
      }
      expect_that_reaping_leaves_nothing(node, vfs_before, where);
    }
  }
}

class FaultSweep : public testing::TestWithParam<Fault> {};

TEST_P(FaultSweep, NothingIsLeft) {
  for (const Case& one : cases) {
    const unsigned changes = changes_of_a_good_run(one);
    ASSERT_GT(changes, 15U);
    for (unsigned nth = 1; nth <= changes; ++nth) {
      FakeNode node = node_for(one);
      const auto vfs_before = node.vfs;
      node.inject(nth, GetParam());
      try {
        serve(node, one);
      } catch (const AgentDied&) {
      }
      const std::string where = std::string(one.option) + " change " + std::to_string(nth);
      for (unsigned id = 0; id < four_tasks; ++id) {
        const std::string answer = node.task(id).answer.value_or("none");
        const bool granted = answer == "granted", attached = !node.task(id).devices.empty();
        const bool declined = answer.starts_with("declined") && GetParam() == Fault::fails;
        EXPECT_TRUE(!granted || !node.task(id).granted.empty()) << where << " task " << id;
        const bool told_of_a_folder = node.task(id).environment.contains("CONTAINER_IB_CDI");
        EXPECT_TRUE(!told_of_a_folder || node.task(id).folder_was_whole) << where << " task " << id;
        EXPECT_FALSE(declined && (attached || !node.task(id).netns.empty()))
            << where << " task " << id << ": goes on as if we were not there";
        const bool waits =
            !std::string_view(one.option).starts_with("verbs") && !node.task(id).knows_its_network;
        const bool refused_at_once = one.container && answer.starts_with("refused");
        EXPECT_FALSE(waits && !refused_at_once && node.agent_alive)
            << where << " task " << id << ": for its network, in vain";
      }
      expect_that_reaping_leaves_nothing(node, vfs_before, where);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, FaultSweep,
                         testing::Values(Fault::fails, Fault::fails_after_effect, Fault::agent_dies_before,
                                         Fault::agent_dies_after),
                         [](const auto& fault) { return std::string(fault_name(fault.param)); });

// slurmstepd is killed after k of the four tasks were released: the agent ends the orphans and gives back.
TEST(Abandoned, OrphansAreEndedAndNothingIsLeft) {
  for (unsigned released = 0; released <= four_tasks; ++released) {
    FakeNode node(four_tasks);
    Step step(facts(), node, node, node, node);
    fork_tasks(step);
    for (unsigned id = 0; id < released; ++id) step.task_ready(id, {});
    EXPECT_THAT(step.abandoned(), testing::IsEmpty());
    for (unsigned id = 0; id < four_tasks; ++id) EXPECT_FALSE(node.task(id).alive);
    EXPECT_THAT(node.journals, testing::IsEmpty());
  }
}

TEST(Abandoned, WhatCannotBeKilledStaysInTheJournal) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  node.unkillable = {"2"};
  EXPECT_THAT(step.abandoned(), testing::ElementsAre(testing::HasSubstr("pid 1002 (stuck)")));
  EXPECT_THAT(node.journals, testing::SizeIs(1));
  node.agent_alive = node.stepd_alive = false;
  EXPECT_THAT(reap(node, node, "")->findings, testing::SizeIs(1)) << "still stuck";
  node.unkillable.clear();
  EXPECT_THAT(reap(node, node, "")->given_back, testing::ElementsAre("17.0"));
}

}  // namespace
}  // namespace cib::test
