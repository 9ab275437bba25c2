// The processes of a step: plugin in slurmstepd, four tasks, agent. This machine needs no InfiniBand: the
// tasks go on without it (require=no) or are refused (require=yes); what is tested is that everyone learns
// it, nobody waits for the dead, and nothing is left.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "adapters/linux/process.hpp"
#include "adapters/state/state_dir.hpp"
#include "support/fake_slurm.hpp"
#include "support/own_processes.hpp"
#include "support/paths.hpp"
#include "support/signal_process.hpp"

namespace cib::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class StepProcesses : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: it makes mount namespaces";
    char name[] = "/tmp/cib-abi-XXXXXX";
    folder_ = ::mkdtemp(name);
    plan_.plugin = plugin_file();
    write_config("");
    plan_.args = {"agent=" + agent_file(), "state=" + folder_ + "/state", "config=" + folder_ + "/site.conf"};
    plan_.option = "verbs,require=no";
  }

  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  void write_config(const std::string& text) const { std::ofstream(folder_ + "/site.conf") << text; }

  // A zombie is gone; when init gets round to waiting for it is not ours to say.
  static bool gone(pid_t pid) {
    for (int i = 0; i < 500; ++i) {
      const auto start = start_time(pid);
      if (pid <= 0 || !start || !is_alive(std::to_string(pid), std::to_string(*start))) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  static bool is_agent(pid_t pid) { return name_of(pid) == "container-ib-ag"; }

  StepOutcome run() {
    const auto outcome = run_step(plan_);
    if (plan_.agent_stops) signal_process(outcome.agent, SIGCONT, is_agent);
    EXPECT_TRUE(gone(outcome.agent)) << "the agent outlives its step";
    for (const pid_t task : outcome.tasks) EXPECT_TRUE(gone(task)) << "a task outlives its step";
    EXPECT_THAT(*stored_steps(folder_ + "/state"), IsEmpty()) << "a journal is left";
    EXPECT_THAT(outcome.output, Not(HasSubstr(positive_return))) << "Slurm's releases read it differently";
    EXPECT_THAT(outcome.output, Not(HasSubstr(nobody_to_signal)));
    return outcome;
  }

  std::string folder_;
  StepPlan plan_;
};

unsigned count(const std::string& text, const std::string& part) {
  unsigned n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST_F(StepProcesses, WithoutTheOptionNothingHappens) {
  plan_.option.reset();
  const auto outcome = run();
  EXPECT_EQ(outcome.agent, -1);
  EXPECT_EQ(outcome.output, "");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/state"));
}

TEST_F(StepProcesses, SwitchedOffNothingHappens) {
  plan_.option = "none";
  EXPECT_EQ(run().output, "");
}

TEST_F(StepProcesses, TheBatchScriptAndTheExternStepAreNotOurs) {
  for (const std::uint32_t step : {0xfffffffbU, 0xfffffffcU, 0xfffffffaU}) {
    plan_.step = step;
    plan_.tasks = 1;
    EXPECT_EQ(run().output, "") << step;
  }
}

TEST_F(StepProcesses, EachTaskIsToldWhyItGoesOnWithoutInfiniBand) {
  const auto outcome = run();
  EXPECT_EQ(count(outcome.output, "container-ib: going on without InfiniBand: "), 4U) << outcome.output;
  EXPECT_THAT(outcome.hook_failures, IsEmpty());
}

TEST_F(StepProcesses, TheNodeHasItsNameInSlurm) {
  plan_.tasks = 1;
  plan_.node_name = "hpc-1";
  EXPECT_THAT(run().output, HasSubstr("going on without InfiniBand: hpc-1: "));
  plan_.node_name.clear();
  std::array<char, 256> host{};
  ASSERT_EQ(::gethostname(host.data(), host.size() - 1), 0);
  const std::string name = host.data();
  EXPECT_THAT(run().output,
              HasSubstr("going on without InfiniBand: " + name.substr(0, name.find('.')) + ": "));
}

TEST_F(StepProcesses, SignalsWhileTheAgentStartsAreNoTimeOut) {
  plan_.interrupted = true;
  const auto outcome = run();
  EXPECT_THAT(outcome.output, Not(HasSubstr("not done within")));
  EXPECT_EQ(count(outcome.output, "going on without InfiniBand: "), 4U) << outcome.output;
}

TEST_F(StepProcesses, ListedMoreThanOnceTheFirstLineCounts) {
  plan_.listings = 3;
  const auto outcome = run();
  EXPECT_EQ(count(outcome.output, "listed more than once in plugstack.conf"), 2U) << outcome.output;
  EXPECT_EQ(count(outcome.output, "container-ib: going on without InfiniBand: "), 4U) << outcome.output;
  EXPECT_THAT(outcome.hook_failures, IsEmpty());
}

TEST_F(StepProcesses, TheNodesStructureIsKeptForTheNextStep) {
  const std::string kept = folder_ + "/state/inventory";
  const auto identity = [&] {
    struct stat status {};
    EXPECT_EQ(::stat(kept.c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 0U);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    return status.st_ino;
  };
  run();
  const auto first = identity();
  run();
  EXPECT_EQ(identity(), first) << "read, not written again";
  std::filesystem::resize_file(kept, 20);
  EXPECT_EQ(count(run().output, "going on without InfiniBand: "), 4U) << "as if there were none";
  EXPECT_GT(std::filesystem::file_size(kept), 20U) << "made anew";
}

TEST_F(StepProcesses, EachTaskIsRefusedWhenInfiniBandIsRequired) {
  plan_.option = "verbs";
  const auto outcome = run();
  EXPECT_EQ(count(outcome.output, "error: container-ib: "), 4U) << outcome.output;
  EXPECT_THAT(outcome.hook_failures, testing::UnorderedElementsAre(0, 1, 2, 3));
}

TEST_F(StepProcesses, AForgedOptionIsRefusedInTheTask) {
  plan_.option = "bogus";
  const auto outcome = run();
  EXPECT_THAT(outcome.output, HasSubstr("bogus"));
  EXPECT_THAT(outcome.hook_failures, testing::UnorderedElementsAre(0, 1, 2, 3));
}

TEST_F(StepProcesses, ABrokenSiteFileIsNamedWithItsLine) {
  write_config("[devices]\ndrivrs = []\n");
  plan_.option = "verbs";
  EXPECT_THAT(run().output, HasSubstr("/site.conf:2"));
}

TEST_F(StepProcesses, AMissingAgentIsNamed) {
  plan_.option = "verbs";
  plan_.args[0] = "agent=/nowhere/container-ib-agent";
  const auto outcome = run();
  EXPECT_THAT(outcome.output, HasSubstr("start /nowhere/container-ib-agent: No such file or directory"));
  EXPECT_EQ(outcome.hook_failures.size(), 4U);
}

// Slurm prints "--name=arginfo" and what it does through buffers of 81 bytes (_spank_opt_print).
TEST_F(StepProcesses, TheHelpNamesTheModesOfThisVersion) {
  plan_.option.reset();
  const std::string help = run().help;
  EXPECT_EQ(help,
            "--container-ib=[MODE[,KEY=VALUE...]] native InfiniBand: auto, verbs, vf, ipoib, macvlan, "
            "overlay, device, "
            "none");
  EXPECT_LT(help.size() - help.find(' '), 81U);
}

TEST_F(StepProcesses, NothingThatItNamesSteersTheUsersTerminal) {
  plan_.args.push_back("confg=\x1b[2J\x9b");
  plan_.option = "verbs";
  const auto outcome = run();
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("confg=\\x1b[2J\\x9b"), Not(HasSubstr("\x1b"))));
}

TEST_F(StepProcesses, AWrongPlugstackArgumentIsNamed) {
  plan_.args.push_back("confg=/x");
  plan_.option = "verbs";
  const auto outcome = run();
  EXPECT_THAT(outcome.output, HasSubstr("confg=/x"));
  EXPECT_EQ(outcome.hook_failures.size(), 4U);
}

// Slurm numbers a task's visible GPUs from 0 where it confines them, and tells the node's numbers beside.
TEST_F(StepProcesses, TheAgentIsToldTheNodesNumbersOfTheGpus) {
  plan_.args[0] = "agent=" + echo_agent_file();
  plan_.tasks = 1;
  const auto told = [&](std::map<std::string, std::string> environment) {
    plan_.environment = std::move(environment);
    const std::string output = run_step(plan_).output;
    const auto begin = output.find("gpus=");
    return begin == std::string::npos ? output : output.substr(begin, output.find('\n') - begin);
  };
  EXPECT_EQ(told({{"CUDA_VISIBLE_DEVICES", "0,1"}, {"SLURM_STEP_GPUS", "2,5"}}), "gpus=2,5 nics=");
  EXPECT_EQ(told({{"ROCR_VISIBLE_DEVICES", "0"}, {"SLURM_STEP_GPUS", "3"}, {"SLURM_STEP_NICS", "mlx5_1"}}),
            "gpus=3 nics=mlx5_1");
  EXPECT_EQ(told({{"CUDA_VISIBLE_DEVICES", "1"}, {"SLURM_STEP_GPUS", "0,1"}}), "gpus=1 nics=");
  EXPECT_EQ(told({{"CUDA_VISIBLE_DEVICES", "4"}}), "gpus=4 nics=");
  EXPECT_EQ(told({{"SLURM_STEP_GPUS", "0,1"}}), "gpus= nics=") << "a step's GPUs are not this task's";
}

// While the agent reads the node it reads no messages, and slurmstepd tells it of one task after the other.
TEST_F(StepProcesses, SlurmstepdDoesNotWaitForAnAgentThatDoesNotRead) {
  plan_.tasks = 128;
  plan_.agent_stops = Point::step_prepared;
  plan_.agent_goes_on = Point::tasks_forked;
  const auto outcome = run();
  EXPECT_EQ(count(outcome.output, "going on without InfiniBand: "), 128U) << outcome.output;
  EXPECT_THAT(outcome.hook_failures, IsEmpty());
}

TEST_F(StepProcesses, AnAgentThatNeverAnswersIsWaitedForOnce) {
  plan_.tasks = 16;
  plan_.agent_stops = Point::tasks_run;
  const auto begin = std::chrono::steady_clock::now();
  run();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
}

// With kill(2) the -1 of an agent that never came would be every process of the machine. So those that it
// could reach here are in a PID namespace of this test's own.
TEST_F(StepProcesses, WhereNoAgentCameNobodyElseIsSignalled) {
  plan_.option.reset();
  plan_.agent_stops = Point::step_prepared;
  plan_.victim = Victim::agent;
  plan_.when = Point::tasks_forked;
  const pid_t apart = ::fork();
  ASSERT_GE(apart, 0);
  if (apart == 0) {
    if (!enter_own_processes()) ::_exit(2);
    const pid_t bystander = ::fork();
    if (bystander == 0)
      for (;;) ::pause();
    const auto outcome = run_step(plan_);
    int status = 0;
    const bool untouched = ::waitpid(bystander, &status, WNOHANG | WUNTRACED) == 0;
    ::_exit(!untouched ? 3 : count(outcome.output, nobody_to_signal) != 2 ? 4 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(apart, &status, 0), apart);
  EXPECT_EQ(status, 0) << "exit status 3: a bystander was signalled, 4: the plan's author is not told";
}

class EveryDeath : public StepProcesses, public testing::WithParamInterface<std::tuple<Point, unsigned>> {};

// The others must not wait for the dead one, which the rendezvous time of a minute would show.
TEST_P(EveryDeath, OfATaskLeavesTheOthersRunning) {
  const auto [when, task] = GetParam();
  write_config("[timeouts]\nrendezvous_s = 60\n");
  plan_.victim = Victim::task;
  plan_.when = when;
  plan_.victim_task = task;
  const auto begin = std::chrono::steady_clock::now();
  const auto outcome = run();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
  const unsigned told = when >= Point::task_attached ? 4 : 3;
  EXPECT_EQ(count(outcome.output, "going on without InfiniBand"), told) << outcome.output;
}

INSTANTIATE_TEST_SUITE_P(Points, EveryDeath,
                         testing::Combine(testing::Values(Point::task_forked, Point::task_has_namespace,
                                                          Point::task_released, Point::task_attached,
                                                          Point::task_runs),
                                          testing::Values(0U, 1U, 2U, 3U)));

class DeathOfAnother : public StepProcesses, public testing::WithParamInterface<Point> {};

TEST_P(DeathOfAnother, OfTheAgentIsToldAndReaped) {
  plan_.victim = Victim::agent;
  plan_.when = GetParam();
  plan_.tasks_sleep = false;
  const auto outcome = run();
  EXPECT_THAT(outcome.hook_failures, IsEmpty()) << "nothing was required";
  EXPECT_EQ(count(outcome.output, "agent on this node died"), GetParam() == Point::tasks_run ? 0U : 4U)
      << outcome.output;
  if (GetParam() == Point::tasks_run) {
    EXPECT_EQ(count(outcome.output, "the agent of this step died after open (record 1); its tasks go on"),
              1U);
    EXPECT_THAT(outcome.output, HasSubstr(": step 17.0: its agent died after open (record 1); its journal is "
                                          "kept in " +
                                          folder_ + "/state/died/"));
  }
}

TEST_P(DeathOfAnother, OfSlurmstepdEndsItsTasks) {
  plan_.victim = Victim::stepd;
  plan_.when = GetParam();
  plan_.tasks_sleep = true;
  const auto begin = std::chrono::steady_clock::now();
  const auto outcome = run();
  EXPECT_TRUE(outcome.stepd_was_killed);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15)) << "a task slept its minute";
}

INSTANTIATE_TEST_SUITE_P(Points, DeathOfAnother,
                         testing::Values(Point::step_prepared, Point::tasks_forked, Point::tasks_run));

}  // namespace
}  // namespace cib::test
