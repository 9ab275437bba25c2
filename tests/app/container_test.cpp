// Tasks that another plugin puts into a container of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/step_fixture.hpp"

namespace cib::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* asked = "--container-image";

TaskFacts in_container(const std::string& id = "4711") {
  TaskFacts facts;
  facts.container.id = id;
  return facts;
}

void fork_for_container(Step& step) { fork_tasks(step, true, asked); }

void release_into(Step& step, const std::vector<TaskFacts>& facts) {
  for (unsigned id = 0; id < four_tasks; ++id) step.task_ready(id, facts[id % facts.size()]);
}

TEST(Container, SharedByTheTasksShowsThePortsOfAllAndEachKeepsItsOwn) {
  for (const bool announced : {true, false}) {  // a plugin that is known, and one that is not
    FakeNode node(four_tasks);
    Step step(facts(), node, node, node, node);
    announced ? fork_for_container(step) : fork_tasks(step);
    release_into(step, {in_container()});
    for (unsigned id = 0; id < four_tasks; ++id) {
      EXPECT_THAT(node.task(id).devices, ElementsAre("mlx5_0", "mlx5_1")) << announced;
      EXPECT_EQ(node.task(id).environment["CONTAINER_IB_PORTS"], id < 2 ? "mlx5_0:1" : "mlx5_1:1");
    }
  }
}

// The node's files are not there, and NCCL looks for none of its own where it was told of one.
TEST(Container, HasNoTopologyFileOfTheNodes) {
  FakeNode node(four_tasks);
  node.site.topology_xml = "/etc/nccl.xml";
  node.site.hand_to_nccl = true;
  Step step(facts("verbs,env=nccl,scope=task"), node, node, node, node);
  fork_tasks(step);
  release_into(step, {in_container("1"), TaskFacts{}});
  EXPECT_FALSE(node.task(0).environment.contains("NCCL_TOPO_FILE"));
  EXPECT_EQ(node.task(1).environment["NCCL_TOPO_FILE"], "/etc/nccl.xml");
}

TEST(Container, OfEachTasksOwnShowsItsOwnPorts) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_into(step, {in_container("1"), in_container("2"), in_container("3"), in_container("4")});
  EXPECT_THAT(node.task(0).devices, ElementsAre("mlx5_0"));
  EXPECT_THAT(node.task(3).devices, ElementsAre("mlx5_1"));
}

TEST(Container, APrivateNetworkIsOneForAllThatWillBeInIt) {
  FakeNode node(four_tasks);
  node.site.modes = {Mode::vf};
  node.exclusive = true;
  node.add_vfs(2);
  for (FakeVf& vf : node.vfs) vf.settings.node_guid = vf.settings.port_guid = 0x1234;
  Step step(facts("vf"), node, node, node, node);
  fork_for_container(step);
  release_into(step, {in_container()});
  std::set<NetnsFile> networks;
  for (unsigned id = 0; id < four_tasks; ++id) {
    EXPECT_EQ(node.task(id).answer, "granted");
    networks.insert(node.task(id).netns);
  }
  EXPECT_THAT(networks, ElementsAre("/state/17.0/netns-node"));
}

TEST(Container, ANetworkOfEachTasksOwnIsRefusedBeforeTheImageIsUnpacked) {
  FakeNode node(four_tasks);
  node.site.modes = {Mode::vf};
  node.exclusive = true;
  node.add_vfs(2);
  Step step(facts("vf,scope=task"), node, node, node, node);
  step.prepare();
  step.task_has_namespace(0, asked);
  EXPECT_THAT(node.task(0).answer.value_or("none"),
              AllOf(HasSubstr("refused: scope=task"), HasSubstr("leave scope out")));
  EXPECT_THAT(node.network_namespaces, IsEmpty());
}

TEST(Container, WhatIsKnownAtTheStartIsRefusedBeforeTheImageIsUnpacked) {
  for (const bool required : {true, false}) {
    FakeNode node(four_tasks);
    for (Port& port : node.node.ports) port.state = PortState::down;
    Step step(facts(required ? "verbs" : "verbs,require=no"), node, node, node, node);
    fork_for_container(step);
    for (unsigned id = 0; id < four_tasks; ++id) {
      EXPECT_EQ(node.task(id).answer.has_value(), required);
      EXPECT_EQ(node.task(id).knows_its_network, !required) << "it goes on";
    }
    release_into(step, {in_container()});
    EXPECT_THAT(*node.task(3).answer,
                AllOf(StartsWith(required ? "refused" : "declined"), HasSubstr("mlx5_1:1")));
  }
}

TEST(Container, OfAPluginThatComesAfterOursIsRefused) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_for_container(step);
  release_into(step, {TaskFacts()});
  for (unsigned id = 0; id < four_tasks; ++id) {
    EXPECT_THAT(*node.task(id).answer,
                AllOf(StartsWith("refused"), HasSubstr("comes after container_ib.so")));
    EXPECT_THAT(node.task(id).devices, IsEmpty());
  }
}

TEST(Container, OnlyWhatItShowsIsGivenToItsTasks) {
  TaskFacts sees_one = in_container();
  sees_one.container.devices = {{"mlx5_1"}};
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_for_container(step);
  release_into(step, {sees_one});
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_PORTS"], "mlx5_1:1");
  EXPECT_THAT(node.task(0).devices, ElementsAre("mlx5_1"));
}

TEST(Container, WhatAnotherStepHasInItStaysAndIsAdoptedOrIsNotEnough) {
  for (const auto& [theirs, enough] :
       std::map<std::string, bool>{{"mlx5_0:1,mlx5_1:1", true}, {"mlx5_0:1", false}}) {
    FakeNode node(four_tasks);
    node.in_container = {{"16.0", theirs}};
    Step step(facts(), node, node, node, node);
    fork_for_container(step);
    release_into(step, {in_container()});
    EXPECT_THAT(node.task(0).devices, IsEmpty()) << "nothing is mounted over theirs";
    if (enough) {
      EXPECT_EQ(node.task(0).answer, "granted");
      EXPECT_THAT(node.adopted, ElementsAre(0U, 1U, 2U, 3U));
    } else {
      EXPECT_THAT(*node.task(0).answer,
                  AllOf(StartsWith("refused"), HasSubstr("step 16.0"), HasSubstr("take hca=mlx5_0:1")));
    }
    (void)step.finish();
    EXPECT_EQ(node.adopted.empty(), !enough) << "who is still in it keeps what is there";
  }
}

TEST(Container, TheLastStepThatLeavesTakesItsDevicesAway) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_for_container(step);
  release_into(step, {in_container()});
  EXPECT_EQ(ports_in_container(node.journals["17.0"], "4711"), "mlx5_0:1,mlx5_1:1");
  (void)step.finish();
  EXPECT_THAT(node.task(0).devices, IsEmpty());
}

TEST(Container, ThatATaskHasStartedIsToldOfWhenItShowsSomethingElse) {
  for (const std::string option : {"verbs", "auto,report=off"}) {
    FakeNode node(four_tasks);
    Step step(facts(option), node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    node.inside = {{0, {{"mlx5_0"}}}, {1, {{"mlx5_1"}}}, {2, {{}}}, {3, {{"mlx5_0"}}}};
    step.look_inside();
    for (unsigned id = 0; id < four_tasks; ++id) step.task_died(id);
    const auto report = step.report();
    if (option == "verbs")
      EXPECT_THAT(
          report,
          AllOf(Contains(HasSubstr("rank 2: the container that it has started shows mlx5_1, which this task "
                                   "was not given, and not its own mlx5_0")),
                Contains(HasSubstr("rank 4: the container that it has started does not show mlx5_1")),
                Contains(HasSubstr("and so have 1 more"))));
    else
      EXPECT_THAT(report, IsEmpty());
  }
}

TEST(Container, WhatItsImageLacksIsSaidOnceAndByTheFirstNodeAlone) {
  for (const unsigned node_id : {0U, 1U}) {
    FakeNode node(four_tasks);
    node.image.verbs.reset();
    StepFacts of_node = facts();
    of_node.node_id = node_id;
    Step step(std::move(of_node), node, node, node, node);
    fork_for_container(step);
    release_into(step, {in_container()});
    std::vector<std::string> told;
    for (unsigned id = 0; id < four_tasks; ++id)
      told.insert(told.end(), node.task(id).lines.begin(), node.task(id).lines.end());
    if (node_id == 0)
      EXPECT_THAT(told, testing::ElementsAre(AllOf(HasSubstr("n0: image: "), HasSubstr("libibverbs"))));
    else
      EXPECT_THAT(told, IsEmpty());
  }
}

// What a site and a user have agreed on, for an image without libibverbs.
struct Lending {
  explicit Lending(const char* glibc = "2.36") {
    node.site.allow_inject = true;
    node.image.verbs.reset();
    node.image.glibc_version = glibc;
  }
  void run(const char* option = "verbs,inject=providers") {
    Step step(facts(option), node, node, node, node);
    fork_for_container(step);
    release_into(step, {in_container()});
  }
  FakeNode node{four_tasks};
};

TEST(Container, AnImageWithoutProvidersIsLentTheNodes) {
  Lending lending;
  lending.run();
  for (unsigned id = 0; id < four_tasks; ++id) {
    auto& environment = lending.node.task(id).environment;
    EXPECT_EQ(environment["LD_LIBRARY_PATH"], "/dev/infiniband/rdma-core");
    EXPECT_EQ(environment["RDMAV_DRIVERS"], "/dev/infiniband/rdma-core/libmlx5");
  }
  EXPECT_THAT(lending.node.task(0).lines,
              ElementsAre(AllOf(HasSubstr("lends"), HasSubstr("libibverbs.so.1"))));
}

TEST(Container, NothingIsLentToAnImageThatHasItsOwnOrCannotLoadIt) {
  Lending whole, old("2.28"), not_asked;
  whole.node.image = whole_image();
  whole.run();
  old.run();
  not_asked.run("verbs");
  for (Lending* one : {&whole, &old, &not_asked})
    EXPECT_FALSE(one->node.task(0).environment.contains("LD_LIBRARY_PATH"));
  EXPECT_THAT(whole.node.task(0).lines, IsEmpty());
  EXPECT_THAT(old.node.task(0).lines, Contains(AllOf(HasSubstr("glibc 2.34"), HasSubstr("2.28"))));
  EXPECT_THAT(old.node.task(0).lines, Contains(HasSubstr("image: no libibverbs.so.1")));
  EXPECT_EQ(old.node.task(0).answer, "granted");
}

TEST(Container, NothingIsLentIntoAnotherStepsContainer) {
  Lending lending;
  lending.node.in_container = {{"9.0", "mlx5_0:1,mlx5_1:1"}};
  lending.run();
  EXPECT_FALSE(lending.node.task(0).environment.contains("LD_LIBRARY_PATH"));
}

TEST(Container, LendingIsForTheSiteToAllow) {
  Lending lending;
  lending.node.site.allow_inject = false;
  lending.run();
  EXPECT_THAT(*lending.node.task(0).answer, HasSubstr("inject=providers is not allowed at this site"));
}

TEST(Container, WhyPmixWillNotStartInItIsSaidToWhoUsesPmix) {
  for (const bool uses_pmix : {true, false}) {
    TaskFacts as_root = in_container();
    as_root.container.uid = 0;
    if (uses_pmix) as_root.pmix_servers = {"pmix-server.1;tcp4://127.0.0.1:4000"};
    FakeNode node(four_tasks);
    Step step(facts(), node, node, node, node);
    fork_for_container(step);
    release_into(step, {as_root});
    const auto told = Contains(AllOf(HasSubstr("rank 0"), HasSubstr("has user 1000 as 0")));
    if (uses_pmix)
      EXPECT_THAT(node.task(0).lines, told);
    else
      EXPECT_THAT(node.task(0).lines, IsEmpty());
  }
}

}  // namespace
}  // namespace cib::test
