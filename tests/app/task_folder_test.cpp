// The folder of a task, for engines that see nothing of its mount namespace.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/reap.hpp"
#include "app/step_fixture.hpp"

namespace cib::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
using testing::SizeIs;

struct StepFolder : testing::Test {
  void serve(const std::string& option, bool engine, const TaskFacts& said = {}) {
    auto f = facts(option);
    f.reads_folder = engine;
    step.emplace(f, node, node, node, node);
    fork_tasks(*step, true, said.container.id.empty() ? "" : "--container-image");
    for (unsigned id = 0; id < four_tasks; ++id) step->task_ready(id, said);
  }
  std::vector<std::string> all_lines() {
    std::vector<std::string> lines;
    for (unsigned id = 0; id < four_tasks; ++id)
      lines.insert(lines.end(), node.task(id).lines.begin(), node.task(id).lines.end());
    return lines;
  }
  FakeNode node{four_tasks};
  std::optional<Step> step;
};

TEST_F(StepFolder, EachTaskHasOneWithItsOwnDevicesWhileTheStepLasts) {
  serve("verbs", true);
  ASSERT_THAT(node.folders, SizeIs(four_tasks));
  for (unsigned id = 0; id < four_tasks; ++id) {
    const std::string path = "/state-tasks/17.0-" + std::to_string(id), near = id < 2 ? "mlx5_0" : "mlx5_1";
    const TaskFolder& folder = node.folders[path];
    EXPECT_EQ(folder.path, path);
    ASSERT_THAT(folder.ports, SizeIs(1));
    EXPECT_EQ(folder.ports[0].device, near);
    EXPECT_EQ(node.task(id).environment["CONTAINER_IB_CDI"], path + "/cdi");
    EXPECT_EQ(node.task(id).environment["CONTAINERS_CONF_OVERRIDE"], path + "/containers.conf");
    EXPECT_THAT(folder.files.at("cdi/container-ib.org-hca.json"),
                HasSubstr("UCX_NET_DEVICES=" + near + ":1"));
  }
  for (unsigned id = 0; id < four_tasks; ++id) step->task_died(id);
  const auto ending = step->finish();
  EXPECT_THAT(ending.for_administrator, IsEmpty());
  EXPECT_THAT(node.folders, IsEmpty());
  EXPECT_THAT(node.journals, IsEmpty());
}

TEST_F(StepFolder, ThereIsNoneUnlessAnEngineReadsItOrItIsAskedFor) {
  serve("verbs", false);
  EXPECT_THAT(node.folders, IsEmpty());
  EXPECT_THAT(node.task(0).environment, Not(Contains(Key("CONTAINERS_CONF_OVERRIDE"))));
  EXPECT_THAT(node.task(0).environment, Not(Contains(Key("CONTAINER_IB_CDI"))));
}

TEST_F(StepFolder, CanBeAskedForAScript) {
  serve("verbs,folder=yes", false);
  EXPECT_THAT(node.folders, SizeIs(four_tasks));
}

TEST_F(StepFolder, CanBeDoneWithout) {
  serve("verbs,folder=no", true);
  EXPECT_THAT(node.folders, IsEmpty());
}

TEST_F(StepFolder, ShowsWhatTheTasksShareWhereTheyShare) {
  serve("verbs,scope=node", true);
  EXPECT_THAT(node.folders["/state-tasks/17.0-0"].ports, SizeIs(2));
}

TEST_F(StepFolder, HasTheTasksVfAndNotItsPf) {
  node.site.modes = all_modes();
  node.site.vf.generate_guids = true;
  node.add_vfs(2);
  node.exclusive = true;
  serve("vf", true);
  for (unsigned id = 0; id < four_tasks; ++id) {
    const TaskFolder& folder = node.folders["/state-tasks/17.0-" + std::to_string(id)];
    ASSERT_THAT(folder.ports, SizeIs(1));
    EXPECT_TRUE(folder.ports[0].physfn) << folder.ports[0].device;
    EXPECT_EQ(node.task(id).environment["CONTAINER_IB_PORTS"], folder.ports[0].name());
  }
  EXPECT_THAT(all_lines(), ElementsAre(HasSubstr("say scope=node")));
}

TEST_F(StepFolder, NothingIsSaidOfSysfsWhereTheTasksShareANetwork) {
  node.site.modes = all_modes();
  node.site.vf.generate_guids = true;
  node.add_vfs(2);
  node.exclusive = true;
  serve("vf,scope=node", true);
  EXPECT_EQ(node.task(0).answer, "granted");
  EXPECT_THAT(all_lines(), IsEmpty());
}

TEST_F(StepFolder, IsNothingForATaskThatAPluginPutsIntoAContainer) {
  TaskFacts said;
  said.container.id = "4711";
  serve("verbs", true, said);
  EXPECT_EQ(node.task(0).answer, "granted");
  EXPECT_THAT(node.folders, IsEmpty());
}

TEST_F(StepFolder, AFileOfTheUsersStaysAndOneLineSaysWhatToDo) {
  TaskFacts said;
  said.user_variables["CONTAINERS_CONF_OVERRIDE"] = "/home/alice/my.conf";
  serve("verbs", true, said);
  EXPECT_THAT(node.task(1).environment, Not(Contains(Key("CONTAINERS_CONF_OVERRIDE"))));
  EXPECT_EQ(node.task(1).environment["CONTAINER_IB_CDI"], "/state-tasks/17.0-1/cdi");
  EXPECT_THAT(all_lines(), ElementsAre(AllOf(HasSubstr("CONTAINERS_CONF_OVERRIDE is yours"),
                                             HasSubstr("/state-tasks/17.0-0/containers.conf"))));
}

TEST_F(StepFolder, WithoutOneTheTasksRunAndOneLineSaysWhy) {
  node.no_folders = error(Errc::unsupported, "/run is not shared");
  serve("verbs", true);
  for (unsigned id = 0; id < four_tasks; ++id) {
    EXPECT_EQ(node.task(id).answer, "granted");
    EXPECT_THAT(node.task(id).environment, Not(Contains(Key("CONTAINERS_CONF_OVERRIDE"))));
    EXPECT_THAT(node.task(id).environment, Not(Contains(Key("CONTAINER_IB_CDI"))));
  }
  EXPECT_THAT(all_lines(), ElementsAre(AllOf(HasSubstr("n0: podman"), HasSubstr("/run is not shared"))));
}

TEST_F(StepFolder, IsReapedWhenTheAgentHasDied) {
  serve("verbs", true);
  node.agent_alive = node.stepd_alive = false;
  const auto reaped = reap(node, node, "17");
  ASSERT_TRUE(reaped.ok());
  EXPECT_THAT(reaped->findings, IsEmpty());
  EXPECT_THAT(node.folders, IsEmpty());
}

}  // namespace
}  // namespace cib::test
