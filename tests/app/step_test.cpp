#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/step_fixture.hpp"

namespace cib::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

TEST(Step, GivesEachTaskTheHcaOfItsNumaNodeAndNoOther) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  for (unsigned id = 0; id < four_tasks; ++id) {
    const std::string near = id < 2 ? "mlx5_0" : "mlx5_1";
    EXPECT_EQ(node.task(id).answer, "granted");
    EXPECT_THAT(node.task(id).devices, ElementsAre(near));
    EXPECT_EQ(node.task(id).environment["UCX_NET_DEVICES"], near + ":1");
    EXPECT_EQ(node.task(id).environment["CONTAINER_IB_PORTS"], near + ":1");
    EXPECT_EQ(node.task(id).environment["CONTAINER_IB_MODE"], "verbs");
    EXPECT_EQ(node.task(id).memlock, 0U) << "unlimited";
  }
}

TEST(Step, TasksThatNothingBindsGetTheNodeWideListUnlessTheUserCountsThePorts) {
  for (const auto& [option, ports] :
       std::map<std::string, std::string>{{"verbs", "mlx5_0:1,mlx5_1:1"}, {"verbs,rails=1", "mlx5_0:1"}}) {
    FakeNode node(four_tasks);
    Step step(facts(option), node, node, node, node);
    fork_tasks(step, false);
    release_tasks(step);
    EXPECT_EQ(node.task(0).environment["CONTAINER_IB_PORTS"], ports) << option;
  }
}

// Two GPUs, one on each NUMA node, behind no switch that anybody knows of.
Inventory with_gpus() {
  Inventory node = FakeNode::two_numa_nodes();
  for (std::uint8_t n = 0; n < 2; ++n)
    node.gpus.push_back({.pci = {0, n, 0, 0}, .numa = {n}, .pci_path = {}, .name = "", .uuid = ""});
  return node;
}

void release_tasks_with_gpus(Step& step, const std::string& gpus) {
  TaskFacts said;
  said.gpus = gpus;
  for (unsigned id = 0; id < four_tasks; ++id) step.task_ready(id, said);
}

TEST(Step, TasksWithGpusSeeTheHcasOfAllAndUseTheirOwn) {
  for (const auto& [option, seen] : std::map<std::string, std::size_t>{{"verbs,report=full", 2},
                                                                       {"verbs,gpu=local", 2},
                                                                       {"verbs,scope=task,gpu=local", 1},
                                                                       {"verbs,gpu=no", 1}}) {
    FakeNode node(four_tasks);
    node.node = with_gpus();
    Step step(facts(option), node, node, node, node);
    fork_tasks(step);
    release_tasks_with_gpus(step, "0,1");
    for (unsigned id = 0; id < four_tasks; ++id) EXPECT_THAT(node.task(id).devices, SizeIs(seen)) << option;
    EXPECT_EQ(node.task(1).environment["NCCL_IB_HCA"], "=mlx5_0:1,mlx5_1:1") << option;
    if (option.find("gpu=local") != std::string::npos) {
      EXPECT_EQ(node.task(0).environment["UCX_NET_DEVICES"], "mlx5_0:1");
      EXPECT_EQ(node.task(1).environment["UCX_NET_DEVICES"], "mlx5_1:1") << "of the second GPU";
    }
    for (unsigned id = 0; id < four_tasks; ++id) step.task_died(id);
    const auto lines = step.report();
    EXPECT_EQ(
        std::any_of(lines.begin(), lines.end(),
                    [](const std::string& line) { return line.find("NCCL needs it") != std::string::npos; }),
        option == "verbs,report=full");
  }
}

TEST(Step, WhatIsOddAboutTheNodesPortsIsToldOnce) {
  for (const char* option : {"verbs", "auto"}) {
    FakeNode node(four_tasks);
    for (Port& port : node.node.ports) port.model = "15b3:1021", port.rate_gbps = 200;
    node.node.ports[1].rate_gbps = 150;
    Step step(facts(option), node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    std::size_t told = 0;
    for (unsigned id = 0; id < four_tasks; ++id)
      for (const std::string& line : node.task(id).lines)
        told += line.starts_with("n0: mlx5_1:1 is slower than its siblings") ? 1U : 0U;
    EXPECT_EQ(told, option == std::string("verbs") ? 1U : 0U) << option;
  }
}

// On PFs that are mlx5_0 and mlx5_1.
Inventory with_a_vf() {
  Inventory node = FakeNode::two_numa_nodes();
  node.ports.push_back(node.ports[0]);
  node.ports.back().device = "mlx5_2";
  node.ports.back().physfn = node.ports[0].pci = PciAddress{0, 0x20, 0, 0};
  node.ports.back().pci = PciAddress{0, 0x20, 0, 1};
  return node;
}

TEST(Step, AVfThatIsNamedIsItsStepsAlone) {
  FakeNode node(four_tasks);
  node.node = with_a_vf();
  Step step(facts("verbs,hca=mlx5_2"), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  EXPECT_THAT(node.task(3).devices, ElementsAre("mlx5_2"));
  EXPECT_THAT(node.claimed, testing::Contains(testing::Key("0000:20:00.1")));
  Step other(facts("verbs,hca=mlx5_2"), node, node, node, node);
  FakeNode elsewhere(four_tasks);
  elsewhere.node = with_a_vf();
  elsewhere.claimed["0000:20:00.1"] = "18.0@1";
  Step late(facts("verbs,hca=mlx5_2"), elsewhere, elsewhere, elsewhere, elsewhere);
  fork_tasks(late);
  release_tasks(late);
  EXPECT_THAT(*elsewhere.task(0).answer, HasSubstr("mlx5_2:1: a VF that another step has"));
  for (unsigned id = 0; id < four_tasks; ++id) step.task_died(id);
  (void)step.finish();
  EXPECT_THAT(node.claimed, IsEmpty());
}

TEST(Step, UsesTheFabricThatAllOfItsNodesHave) {
  const auto answer_of = [](const std::string& nodes, const std::string& option) {
    FakeNode node(four_tasks);
    node.site.fabrics = {{.name = "left", .nodes = {"n[0-1]"}, .prefix = {}, .hca = {"mlx5_0"}},
                         {.name = "right", .nodes = {"n0", "m0"}, .prefix = {}, .hca = {"mlx5_1"}}};
    Step step(facts(option), node, node, node, node);
    fork_tasks(step);
    TaskFacts said;
    said.user_variables[nodes_of_step] = nodes;
    for (unsigned id = 0; id < four_tasks; ++id) step.task_ready(id, said);
    return *node.task(3).answer == "granted" ? node.task(3).environment["UCX_NET_DEVICES"]
                                             : *node.task(3).answer;
  };
  EXPECT_EQ(answer_of("n[0-1]", "verbs"), "mlx5_0:1");
  EXPECT_EQ(answer_of("n0,m0", "verbs"), "mlx5_1:1");
  EXPECT_EQ(answer_of("n0", "verbs,fabric=right"), "mlx5_1:1");
  EXPECT_THAT(answer_of("n[0-1]", "verbs,fabric=right"),
              HasSubstr("fabric=right: node n1 of this step is not in it"));
  EXPECT_THAT(answer_of("n[0-1],m0", "verbs"), HasSubstr("no fabric in common"));
  EXPECT_THAT(answer_of("n0", "verbs,fabric=middle"), HasSubstr("fabric=middle is none of this site's"));
}

TEST(Step, AnswersNobodyBeforeAllHaveReported) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  for (unsigned id = 0; id + 1 < four_tasks; ++id) step.task_ready(id, {});
  EXPECT_FALSE(node.task(0).answer);
  EXPECT_TRUE(step.awaits_deadline());
  step.task_ready(four_tasks - 1, {});
  EXPECT_EQ(node.task(0).answer, "granted");
  EXPECT_FALSE(step.awaits_deadline());
}

TEST(Step, OnlyTasksThatWaitForAnAnswerAreAskedForPatience) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  EXPECT_FALSE(step.keeps_tasks_waiting());
  step.task_ready(2, {});
  step.task_ready(0, {});
  EXPECT_TRUE(step.keeps_tasks_waiting());
  step.ask_for_patience();
  EXPECT_THAT(node.asked_for_patience, ElementsAre(0U, 2U));
  step.task_ready(1, {});
  step.task_ready(3, {});
  EXPECT_FALSE(step.keeps_tasks_waiting());
}

TEST(Step, ATaskThatDiesDoesNotKeepTheOthersWaiting) {
  for (unsigned victim = 0; victim < four_tasks; ++victim) {
    FakeNode node(four_tasks);
    Step step(facts(), node, node, node, node);
    fork_tasks(step);
    node.task(victim).alive = false;
    step.task_died(victim);
    for (unsigned id = 0; id < four_tasks; ++id)
      if (id != victim) step.task_ready(id, {});
    for (unsigned id = 0; id < four_tasks; ++id)
      EXPECT_EQ(node.task(id).answer.value_or("none"), id == victim ? "none" : "granted")
          << "victim " << victim;
  }
}

TEST(Step, ATaskThatDiesWhileItIsAttachedIsNobodysFailure) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  node.task(1).alive = false;  // and nobody has said so yet
  release_tasks(step);
  for (unsigned id = 0; id < four_tasks; ++id)
    EXPECT_EQ(node.task(id).answer.value_or("none"), id == 1 ? "none" : "granted");
}

TEST(Step, AMountThatFailsIsEveryTasksFailure) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  node.inject(node.changes() + four_tasks + 3,
              Fault::fails);  // after the tasks', the ports' and its own record
  release_tasks(step);
  for (unsigned id = 0; id < four_tasks; ++id)
    EXPECT_EQ(*node.task(id).answer, "refused: attach rank 0: injected: mount: Input/output error");
}

TEST(Step, ATaskThatGoesOnWithoutAskingDoesNotKeepTheOthersWaiting) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  for (unsigned id = 1; id < four_tasks; ++id) step.task_ready(id, {});
  step.task_left(0);
  EXPECT_FALSE(node.task(0).answer);
  for (unsigned id = 1; id < four_tasks; ++id) {
    EXPECT_EQ(node.task(id).answer, "granted");
    step.task_left(id);  // as every task does when it execs
    EXPECT_THAT(node.task(id).devices, SizeIs(1));
  }
  EXPECT_THAT(step.report(), IsEmpty()) << "three of them run";
}

TEST(Step, GoesOnAtTheDeadlineAndAnswersTheLateTaskWhenItComes) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  for (unsigned id = 0; id < 3; ++id) step.task_ready(id, {});
  step.deadline_passed();
  EXPECT_EQ(node.task(0).answer, "granted");
  EXPECT_FALSE(node.task(3).answer);
  step.task_ready(3, {});
  EXPECT_EQ(node.task(3).answer, "granted");
  EXPECT_THAT(node.task(3).devices, ElementsAre("mlx5_1"));
}

TEST(Step, TheUsersOwnValueWins) {
  FakeNode node(four_tasks);
  Step step(facts("verbs,report=full"), node, node, node, node);
  fork_tasks(step);
  for (unsigned id = 0; id < four_tasks; ++id) {
    TaskFacts f;
    f.user_variables["UCX_NET_DEVICES"] = "mlx5_9:1";
    step.task_ready(id, f);
  }
  EXPECT_FALSE(node.task(0).environment.contains("UCX_NET_DEVICES"));
  EXPECT_THAT(node.task(0).lines, testing::Contains(HasSubstr("keeps its own UCX_NET_DEVICES")));
}

TEST(Step, TheSitesVariablesAreGivenAndTheUsersOwnStays) {
  FakeNode node(four_tasks);
  node.node.ports[0].driver = "mlx5_core";
  node.node.ports[1].driver = "mlx4_core";
  node.site.environment = {
      {.set = {{"NCCL_IB_TC", "41"}, {"OMPI_MCA_btl", "self"}}},
      {.nodes = {"m*"}, .set = {{"NCCL_IB_SL", "3"}}},
      {.drivers = {"mlx5_core"}, .set = {{"NCCL_IB_SL", "1"}}},
  };
  Step step(facts("verbs,report=full"), node, node, node, node);
  fork_tasks(step);
  EXPECT_THAT(step.asks_for(), testing::ElementsAre("NCCL_IB_TC", "NCCL_IB_SL"))
      << "OMPI_MCA_btl it tells anyway";
  for (unsigned id = 0; id < four_tasks; ++id) {
    TaskFacts f;
    if (id == 1) f.user_variables["NCCL_IB_TC"] = "7";
    step.task_ready(id, f);
  }
  EXPECT_EQ(node.task(0).environment["NCCL_IB_TC"], "41");
  EXPECT_EQ(node.task(0).environment["OMPI_MCA_btl"], "self");
  EXPECT_EQ(node.task(0).environment["NCCL_IB_SL"], "1");
  EXPECT_THAT(node.task(0).lines, testing::Contains("rank 0 has NCCL_IB_TC=41 from the site's file"));
  EXPECT_FALSE(node.task(1).environment.contains("NCCL_IB_TC"));
  EXPECT_THAT(node.task(1).lines, testing::Contains("rank 2 keeps its own NCCL_IB_TC"));
  EXPECT_FALSE(node.task(2).environment.contains("NCCL_IB_SL")) << "its HCA is another";
}

TEST(Step, WhoIsDeclinedHasNoVariablesOfTheSite) {
  FakeNode node(four_tasks);
  for (Port& port : node.node.ports) port.state = PortState::down;
  node.site.environment = {{.set = {{"NCCL_IB_TC", "41"}}}};
  Step step(facts("auto"), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  EXPECT_THAT(*node.task(0).answer, StartsWith("declined: "));
  EXPECT_TRUE(node.task(0).environment.empty());
}

// ---- default= in plugstack.conf

StepFacts default_facts(const std::string& option = "verbs,require=no") {
  StepFacts f = facts(option);
  f.by_default = true;
  return f;
}

TEST(StepByDefault, GivesPortsAndSaysNothing) {
  FakeNode node(four_tasks);
  node.site.force = {{"require", "yes"}, {"rails", "1"}};
  node.memlock_may_be_raised = false;
  Step step(default_facts("verbs,rails=2,require=no"), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  for (unsigned id = 0; id < four_tasks; ++id) {
    EXPECT_EQ(node.task(id).answer, "granted");
    EXPECT_THAT(node.task(id).lines, testing::IsEmpty());
  }
  EXPECT_EQ(node.task(0).environment["OMPI_MCA_pml"], "^v") << "nothing is required";
  for (unsigned id = 0; id < four_tasks; ++id) step.task_died(id);
  EXPECT_THAT(step.report(), testing::IsEmpty());
}

TEST(StepByDefault, WithoutAPortGoesOnWithoutAWord) {
  FakeNode node(four_tasks);
  for (Port& port : node.node.ports) port.state = PortState::down;
  node.site.force = {{"require", "yes"}};
  Step step(default_facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  for (unsigned id = 0; id < four_tasks; ++id) EXPECT_EQ(node.task(id).answer, "declined: ");
}

TEST(StepByDefault, TellsTheSitesMistakesOnce) {
  for (const bool bad_file : {true, false}) {
    FakeNode node(four_tasks);
    if (bad_file) node.site_error = error(Errc::bad_config, "conf:2: devices.drivrs: unknown key");
    if (!bad_file) node.site.modes = node.site.auto_modes = {Mode::vf};
    Step step(default_facts(), node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    EXPECT_THAT(*node.task(0).answer,
                AllOf(StartsWith("declined: "), HasSubstr(bad_file ? "conf:2" : "not allowed")));
    for (unsigned id = 1; id < four_tasks; ++id) EXPECT_EQ(node.task(id).answer, "declined: ");
    FakeNode other(four_tasks);
    other.site_error = node.site_error;
    StepFacts second = default_facts();
    second.node_id = 1;
    Step there(second, other, other, other, other);
    fork_tasks(there);
    release_tasks(there);
    if (bad_file) {
      EXPECT_EQ(other.task(0).answer, "declined: ") << "the first node tells";
    }
  }
}

TEST(StepByDefault, StaysInTheNodesNetworkWhateverAutoMeans) {
  FakeNode node(four_tasks);
  node.site.modes = {Mode::ipoib, Mode::verbs};
  node.site.auto_modes = {Mode::ipoib, Mode::verbs};
  Step step(default_facts("auto,require=no"), node, node, node, node);
  fork_tasks(step);
  EXPECT_FALSE(node.task(0).knows_its_network) << "and waits for none";
  release_tasks(step);
  EXPECT_EQ(node.task(0).answer, "granted");
  EXPECT_EQ(node.task(0).netns, "");
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_MODE"], "verbs");
}

TEST(StepByDefault, ReportsIfTheSiteAsksWhatHasMovedData) {
  for (const bool idle : {true, false}) {
    FakeNode node(four_tasks);
    Step step(default_facts("verbs,report=summary,require=no"), node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    if (!idle) node.now = {.verbs_sent = 1'000'000'000, .verbs_received = 1'000'000'000};
    for (unsigned id = 0; id < four_tasks; ++id) step.task_died(id);
    const auto lines = step.report();
    EXPECT_EQ(lines.size(), idle ? 0U : 1U);
    for (const std::string& line : lines) EXPECT_THAT(line, HasSubstr("n0: native: "));
  }
}

TEST(Step, RefusesWithTheCauseWhenNoPortIsActive) {
  FakeNode node(four_tasks);
  for (Port& port : node.node.ports) port.state = PortState::down;
  Step step(facts("verbs"), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  EXPECT_THAT(*node.task(0).answer,
              AllOf(StartsWith("refused: "), HasSubstr("mlx5_0:1"), HasSubstr("mlx5_1:1")));
  EXPECT_THAT(node.task(0).devices, IsEmpty());
}

TEST(Step, GoesOnWithoutUsWhenNothingIsRequired) {
  for (const char* option : {"auto", "", "verbs,require=no"}) {
    FakeNode node(four_tasks);
    for (Port& port : node.node.ports) port.state = PortState::down;
    Step step(facts(option), node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    EXPECT_THAT(*node.task(0).answer, StartsWith("declined: ")) << option;
  }
}

TEST(Step, AForgedOptionIsRefusedWhateverItSays) {
  for (const char* option : {"bogus", "auto,require=no,rails=99", "vf", "verbs,hca="}) {
    FakeNode node(four_tasks);
    Step step(facts(option), node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    EXPECT_THAT(*node.task(0).answer, StartsWith("refused: ")) << option;
    EXPECT_THAT(node.journals, IsEmpty());
  }
}

TEST(Step, ABrokenSiteFileIsNamedToWhoAskedForUs) {
  FakeNode node(four_tasks);
  node.site_error = error(Errc::bad_config, "/etc/slurm/container-ib.conf:3: unknown key 'driver'");
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  EXPECT_EQ(*node.task(2).answer, "refused: /etc/slurm/container-ib.conf:3: unknown key 'driver'");
}

// With auto a task waits to be told its network, be it the node's own.
TEST(Step, ATaskThatCannotBeToldItsNetworkIsToldWhyUnlessSomethingWentWrongBefore) {
  for (const bool before : {false, true}) {
    FakeNode node(four_tasks);
    if (before) node.site_error = error(Errc::bad_config, "the site's file");
    Step step(facts("auto,require=yes"), node, node, node, node);
    step.prepare();
    node.inject(node.changes() + 1, Fault::fails);
    fork_tasks(step);
    release_tasks(step);
    for (unsigned id = 0; id < four_tasks; ++id)
      EXPECT_EQ(*node.task(id).answer,
                before ? "refused: the site's file" : "refused: injected: give network: Input/output error");
  }
}

TEST(Step, ATaskWithoutItsOwnNamespaceIsNeverMountedInto) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  step.prepare();
  for (unsigned id = 0; id < four_tasks; ++id)
    step.task_started(id, {.rank = rank_of(id), .mask = mask_of(id), .process = {{"1000", ""}}});
  release_tasks(step);
  EXPECT_THAT(*node.task(0).answer, StartsWith("refused: "));
  EXPECT_THAT(node.task(0).devices, IsEmpty());
}

TEST(Step, MpirunsHelperGetsEveryPortOfTheNode) {
  FakeNode node(1);
  auto f = facts();
  f.local_tasks = 1;
  f.daemon_step = true;
  Step step(f, node, node, node, node);
  step.prepare();
  run_only_task(step);
  EXPECT_THAT(node.task(0).devices, ElementsAre("mlx5_0", "mlx5_1"));
  EXPECT_THAT(node.task(0).lines, testing::Contains(HasSubstr("mpirun")));
}

TaskFacts starts_engine(bool does) {
  TaskFacts said;
  said.user_namespace = does;
  return said;
}

// Between the user namespaces of two containers the kernel refuses CMA, and old UCX ends the program for it.
TEST(Step, ContainersOfTheirOwnDoWithoutCmaWhenSeveralShareANode) {
  for (const bool engine : {false, true}) {
    FakeNode node(four_tasks);
    Step step(facts(), node, node, node, node);
    fork_tasks(step);
    for (unsigned id = 0; id < four_tasks; ++id) step.task_ready(id, starts_engine(engine));
    EXPECT_EQ(node.task(0).environment.contains("UCX_TLS"), engine);
    EXPECT_EQ(node.task(0).environment["UCX_TLS"], engine ? "^cma" : "");
    EXPECT_FALSE(node.task(0).environment.contains("UCX_MAX_RNDV_RAILS")) << "0 takes RDMA between nodes too";
  }
}

TEST(Step, AContainerAloneOnItsNodeKeepsCma) {
  for (const unsigned tasks : {1U, 2U}) {
    FakeNode node(tasks);
    auto f = facts();
    f.local_tasks = tasks;
    Step step(f, node, node, node, node);
    step.prepare();
    for (unsigned id = 0; id < tasks; ++id) {
      step.task_has_namespace(id);
      step.task_started(
          id, {.rank = rank_of(id), .mask = mask_of(id), .process = {{std::to_string(1000 + id), ""}}});
    }
    for (unsigned id = 0; id < tasks; ++id) step.task_ready(id, starts_engine(true));
    EXPECT_EQ(node.task(0).environment.contains("UCX_TLS"), tasks > 1);
  }
}

// Without a report too, and not by each task and node.
TEST(Step, AUsersDevicesThatATaskIsNotShownAreToldOnceInAStep) {
  for (const char* option : {"verbs", "verbs,scope=node"})
    for (const unsigned node_id : {0U, 1U}) {
      FakeNode node(four_tasks);
      auto f = facts(option);
      f.node_id = node_id;
      f.nodes = 2;
      Step step(f, node, node, node, node);
      fork_tasks(step);
      TaskFacts said;
      said.user_variables["UCX_NET_DEVICES"] = "mlx5_0:1";
      for (unsigned id = 0; id < four_tasks; ++id) step.task_ready(id, said);
      std::size_t told = 0;
      for (unsigned id = 0; id < four_tasks; ++id)
        for (const std::string& line : node.task(id).lines)
          told +=
              line.find("UCX_NET_DEVICES names none of the ports that this task has") != std::string::npos;
      EXPECT_EQ(told, option == std::string("verbs") && node_id == 0 ? 1U : 0U) << option << " " << node_id;
    }
}

TEST(Step, TheSitesDefaultDecidesWhetherInfiniBandIsRequired) {
  for (const auto& [required, answer] : {std::pair("no", "declined: "), std::pair("yes", "refused: ")})
    for (const char* option : {"verbs", "auto"}) {
      FakeNode node(four_tasks);
      node.node.ports.clear();
      node.site.defaults = {{"require", required}};
      Step step(facts(option), node, node, node, node);
      fork_tasks(step);
      release_tasks(step);
      EXPECT_THAT(*node.task(0).answer, testing::StartsWith(answer)) << option;
    }
}

TEST(Step, ATaskThatDiedMeanwhileIsNobodyElsesFailure) {
  FakeNode node(four_tasks);
  node.unmountable[2] = Errc::ended;
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  for (const unsigned id : {0U, 1U, 3U}) EXPECT_EQ(node.task(id).answer, "granted") << id;
  EXPECT_FALSE(node.task(2).answer.has_value());
}

// RDMA devices that change while they are attached, for example.
TEST(Step, ALivingTaskThatCannotBeAttachedIsToldWhyAtOnce) {
  FakeNode node(four_tasks);
  node.unmountable[2] = Errc::changed;
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  for (unsigned id = 0; id < four_tasks; ++id)
    EXPECT_EQ(node.task(id).answer, "refused: attach rank 4: injected: mount") << id;
}

TEST(Step, AProcessThatIsLeftBehindInAContainerIsWrittenDown) {
  FakeNode node(four_tasks);
  node.unmountable[2] = Errc::stuck;
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  EXPECT_EQ(node.task(2).answer, "refused: attach rank 4: injected: mount");
  const auto& records = node.journals.at("17.0");
  EXPECT_TRUE(std::any_of(records.begin(), records.end(), [](const Record& record) {
    const auto* quarantined = get_if<Quarantined>(record);
    return quarantined != nullptr && quarantined->process == "injected: mount";
  }));
  (void)step.finish();
  EXPECT_THAT(node.journals, IsEmpty()) << "it holds nothing that is given back";
}

TEST(Step, AMemlockThatCannotBeRaisedIsTold) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  for (unsigned id = 0; id + 1 < four_tasks; ++id) step.task_ready(id, {});
  // journal: 4 tasks, ports; for each task the intent, the mount and that it is done; then the first answer.
  node.inject(node.changes() + 5 + 3 * four_tasks + 1, Fault::fails);
  step.task_ready(four_tasks - 1, {});
  EXPECT_THAT(node.task(0).lines, ElementsAre("n0: injected: memlock: Input/output error"));
  EXPECT_THAT(node.task(1).lines, IsEmpty());
  EXPECT_EQ(node.task(0).answer, "granted");
}

TEST(Step, AMemlockThatNobodyMayRaiseIsToldOnceANode) {
  FakeNode node(four_tasks);
  node.memlock_may_be_raised = false;
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  EXPECT_THAT(node.task(0).lines,
              ElementsAre(HasSubstr("n0: raise memlock: Operation not permitted; slurmd on n0 needs")));
  for (unsigned id = 1; id < four_tasks; ++id) EXPECT_THAT(node.task(id).lines, IsEmpty());
}

// slurmstepd in a user namespace, for example.
TEST(Step, AnAgentThatCanDoNothingHereSaysWhyAndTouchesNothing) {
  for (const bool required : {true, false}) {
    FakeNode node(four_tasks);
    auto f = facts(required ? "vf" : "auto");
    f.unfit = error(Errc::unsupported, "not the host's root");
    Step step(f, node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    for (unsigned id = 0; id < four_tasks; ++id)
      EXPECT_EQ(*node.task(id).answer,
                std::string(required ? "refused" : "declined") + ": n0: not the host's root");
    EXPECT_THAT(node.journals, IsEmpty());
  }
}

TEST(Step, WhatTheSiteForcesIsToldOnceAStep) {
  for (const unsigned node_id : {0U, 1U}) {
    FakeNode node(four_tasks);
    node.site.force = {{"rails", "1"}, {"require", "yes"}};
    auto f = facts("auto,rails=2");
    f.node_id = node_id;
    Step step(f, node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    EXPECT_EQ(node.task(0).environment["CONTAINER_IB_PORTS"], "mlx5_0:1");
    if (node_id == 0)
      EXPECT_THAT(node.task(0).lines,
                  ElementsAre("this site sets rails=1 for every job, so yours does not count"));
    else
      EXPECT_THAT(node.task(0).lines, IsEmpty());
    EXPECT_THAT(node.task(1).lines, IsEmpty());
  }
}

TEST(Step, ARefusalNamesWhatTheSiteForces) {
  FakeNode node(four_tasks);
  node.site.force = {{"require", "yes"}};
  for (Port& port : node.node.ports) port.state = PortState::down;
  Step step(facts("verbs,require=no"), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  EXPECT_THAT(
      *node.task(0).answer,
      AllOf(StartsWith("refused: n0: no InfiniBand port"),
            testing::EndsWith("; this site sets require=yes for every job, so yours does not count")));
}

// As 'container-ib plan --json' says, which makes it from the same.
TEST(Step, EachTaskHasTheEnvironmentOfThePlan) {
  FakeNode node(four_tasks);
  node.site.pkeys = {0x8001};
  for (Port& port : node.node.ports) port.pkeys = {0x8001};
  Step step(facts("verbs,report=full,pkey=0x8001,env=ucx+ompi+pmix+nccl+mvapich"), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  Settings settings;
  settings.require = true;
  settings.report = ReportLevel::full;
  settings.pkey = 0x8001;
  settings.env = {"ucx", "ompi", "pmix", "nccl", "mvapich"};
  Assignment assignment;
  assignment.plan = node.task(0).environment["CONTAINER_IB_PLAN"];
  for (const std::size_t port : {0U, 1U}) assignment.verdicts.push_back({port, true, "", ""});
  const EnvironmentInputs in = inputs_of_task(settings, node.node, assignment, {1}, {});
  EXPECT_EQ(in.task_ports, std::vector<std::string>{"mlx5_1:1"});
  EXPECT_EQ(in.node_ports, (std::vector<std::string>{"mlx5_0:1", "mlx5_1:1"}));
  EXPECT_EQ(in.numa, "1");
  std::map<std::string, std::string> expected;
  for (const auto& [name, value] : build_environment(in).set) expected[name] = value;
  EXPECT_EQ(node.task(2).environment, expected);
  EXPECT_EQ(node.task(2).environment["OMPI_MCA_hook_comm_method_display"], "mpi_init");
}

TEST(Step, AMessageThatNoPluginOfOursSendsEndsItsTaskOnly) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  for (unsigned id = 0; id + 1 < four_tasks; ++id) step.task_ready(id, {});
  step.task_misbehaved(3, error(Errc::corrupt, "message of unknown kind"));
  EXPECT_EQ(*node.task(3).answer, "refused: message of unknown kind");
  for (unsigned id = 0; id + 1 < four_tasks; ++id) EXPECT_EQ(node.task(id).answer, "granted");
  step.task_misbehaved(3, error(Errc::corrupt, "another"));
  EXPECT_EQ(*node.task(3).answer, "refused: message of unknown kind") << "once";
}

TEST(Step, AContainerOfTheWholeNodeSeesEveryTasksHcaAndEachTaskUsesItsOwn) {
  FakeNode node(four_tasks);
  Step step(facts("verbs,scope=node"), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  for (unsigned id = 0; id < four_tasks; ++id) {
    EXPECT_THAT(node.task(id).devices, ElementsAre("mlx5_0", "mlx5_1"));
    EXPECT_EQ(node.task(id).environment["UCX_NET_DEVICES"], id < 2 ? "mlx5_0:1" : "mlx5_1:1");
  }
}

struct ReportTest : testing::Test {
  std::vector<std::string> run(const std::string& option, unsigned node_id = 0, unsigned nodes = 2) {
    StepFacts f = facts(option);
    f.node_id = node_id;
    f.nodes = nodes;
    Step step(std::move(f), node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    node.now = after;
    EXPECT_THAT(step.report(), IsEmpty()) << "tasks still run";
    for (unsigned id = 0; id < four_tasks; ++id) step.task_died(id);
    auto lines = step.report();
    EXPECT_THAT(step.report(), IsEmpty()) << "told once";
    EXPECT_THAT(step.finish().for_user, IsEmpty());
    EXPECT_THAT(node.journals, IsEmpty());
    return lines;
  }
  void anew() { node = FakeNode(four_tasks); }
  FakeNode node{four_tasks};
  NodeCounters after{
      .verbs_sent = 50'000'000, .verbs_received = 50'000'000, .tcp_sent = 9'000, .tcp_received = 9'000};
};

TEST_F(ReportTest, NativeIsToldOnlyWhenAskedFor) { EXPECT_THAT(run("verbs"), IsEmpty()); }

TEST_F(ReportTest, SummaryIsOneLine) {
  EXPECT_THAT(run("verbs,report=summary"), ElementsAre(StartsWith("n0: native: ")));
}

TEST_F(ReportTest, FullSaysWhoGotWhatAndWhy) {
  const auto lines = run("verbs,report=full");
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_EQ(lines[2], "n0: rank 4 uses mlx5_1:1 (NUMA 1, same NUMA node, 200 Gb/s)");
}

TEST_F(ReportTest, FullSaysOfSeveralPortsWhereEachIs) {
  node.node.ports[1].rate_gbps = 0;  // unknown
  EXPECT_EQ(run("verbs,report=full,rails=2").front(),
            "n0: rank 0 uses mlx5_0:1,mlx5_1:1 (NUMA 0, same NUMA node, 200 Gb/s; NUMA 1)");
}

TEST_F(ReportTest, OnlyWhatMovedDuringTheStepCounts) {
  node.now = {.verbs_sent = 1'000'000'000,
              .verbs_received = 2'000'000'000,
              .tcp_sent = 3'000'000'000,
              .tcp_received = 4'000'000'000,
              .ipoib_sent = 5'000'000'000,
              .ipoib_received = 6'000'000'000};
  after = {.verbs_sent = 1'060'000'000,
           .verbs_received = 2'050'000'000,
           .tcp_sent = 3'001'000'000,
           .tcp_received = 4'002'000'000,
           .ipoib_sent = 5'004'000'000,
           .ipoib_received = 6'006'000'000};
  EXPECT_THAT(run("verbs,report=summary"),
              ElementsAre("n0: native: 100.0 MB by verbs, 13.0 MB by TCP over IPoIB"));
}

TEST_F(ReportTest, AnythingButNativeIsAlwaysTold) {
  after = {.verbs_sent = 0, .verbs_received = 0, .tcp_sent = 80'000'000, .tcp_received = 80'000'000};
  EXPECT_THAT(run("verbs"), ElementsAre(StartsWith("n0: not native: ")));
}

TEST_F(ReportTest, AStepThatMovesNothingIsToldOnlyWhenAskedFor) {
  after = {.verbs_sent = 1'000, .verbs_received = 1'000, .tcp_sent = 9'000, .tcp_received = 9'000};
  EXPECT_THAT(run("verbs"), IsEmpty());
  anew();
  EXPECT_THAT(run("verbs", 0, 1), IsEmpty());
  anew();
  EXPECT_THAT(run("verbs,report=summary"), ElementsAre(StartsWith("n0: unknown: ")));
  anew();
  EXPECT_THAT(run("verbs,report=summary", 0, 1), ElementsAre(StartsWith("n0: shm-only: ")));
}

// Nobody knows how it is on the other nodes; who reads them has one screen.
TEST_F(ReportTest, TheFirstNodesOfALargeStepSpeakForAll) {
  const std::string silence = "; of the 992 nodes after this one those say so that were not native";
  bool shared = false;
  const auto told = [&](const std::string& option, unsigned node_id) {
    anew();
    if (shared) node.sharers_since["9.0"] = PortUse::unsure;
    const auto lines = run(option, node_id, 1000);
    return lines.empty() ? std::string() : lines.back();
  };
  EXPECT_EQ(told("verbs,report=summary", 6), "n0: native: 100.0 MB by verbs, 18.0 kB by TCP");
  EXPECT_EQ(told("verbs,report=summary", 7), "n0: native: 100.0 MB by verbs, 18.0 kB by TCP" + silence);
  EXPECT_EQ(told("verbs,report=summary", 8), "");
  EXPECT_THAT(told("verbs,report=full", 7), Not(HasSubstr(silence)));
  EXPECT_EQ(told("verbs,report=full", 999), "n0: native: 100.0 MB by verbs, 18.0 kB by TCP");
  shared = true;
  EXPECT_THAT(told("verbs", 7), AllOf(StartsWith("n0: unknown: "), testing::EndsWith(silence)));
  EXPECT_EQ(told("verbs", 8), "");
  shared = false;
  after = {.verbs_sent = 0, .verbs_received = 0, .tcp_sent = 800'000'000, .tcp_received = 800'000'000};
  EXPECT_THAT(told("verbs", 8), StartsWith("n0: not native: "));
}

TEST_F(ReportTest, TheLastNodeThatSpeaksNamesNoSilentOnesWhereThereAreNone) {
  EXPECT_THAT(run("verbs,report=summary", 7, 8),
              ElementsAre("n0: native: 100.0 MB by verbs, 18.0 kB by TCP"));
}

TEST_F(ReportTest, CountersThatOthersMovedTooProveNothing) {
  node.sharers_before = {{"9.0", "ipoib"}};
  EXPECT_THAT(run("verbs"), ElementsAre(StartsWith("n0: unknown: ")));
}

TEST(Step, WhatSlurmsDeviceCgroupWithholdsIsNobodysToGive) {
  FakeNode node(four_tasks);
  for (unsigned id = 0; id < four_tasks; ++id) node.withheld[id] = {"mlx5_0"};
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  for (unsigned id = 0; id < four_tasks; ++id)
    EXPECT_THAT(node.task(id).devices, testing::ElementsAre("mlx5_1"));

  FakeNode all(four_tasks);
  for (unsigned id = 0; id < four_tasks; ++id) all.withheld[id] = {"mlx5_0", "mlx5_1"};
  Step none(facts(), all, all, all, all);
  fork_tasks(none);
  release_tasks(none);
  EXPECT_THAT(*all.task(0).answer, testing::HasSubstr("Slurm keeps mlx5_0, mlx5_1 from this step"));
}

}  // namespace
}  // namespace cib::test
