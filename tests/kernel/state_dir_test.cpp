#include "adapters/state/state_dir.hpp"

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/linux/find_process.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "app/reap.hpp"
#include "kernel/scratch.hpp"
#include "support/own_processes.hpp"

namespace cib::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using Records = std::vector<Record>;

class StateDirectory : public Scratch {
 protected:
  std::string state() const { return folder_ + "/state"; }
  static Record open(const std::string& option) {
    Opened by;
    by.option = option;
    return {1, Mark::done, by};
  }
  static Record uses(const std::string& ports) { return {2, Mark::done, PortsNoted{"verbs", ports}}; }
};

TEST_F(StateDirectory, KeepsAJournalUntilItIsRemoved) {
  StateDir dir(state());
  ASSERT_TRUE(dir.create("17.0", open("mlx5_0:1")).ok());
  const auto steps = stored_steps(state());
  ASSERT_THAT(*steps, SizeIs(1));
  EXPECT_EQ(steps->front().name, "17.0");
  EXPECT_EQ(opened(*steps->front().records)->option, "mlx5_0:1");
  struct stat status {};
  ASSERT_EQ(::stat((state() + "/17.0").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  EXPECT_TRUE(dir.remove().ok());
  EXPECT_TRUE(dir.remove().ok());
  EXPECT_THAT(*stored_steps(state()), IsEmpty());
}

TEST_F(StateDirectory, KeepsWhatADeadAgentOfTheSameStepLeft) {
  StateDir first(state()), second(state());
  ASSERT_TRUE(first.create("17.0", open("mlx5_0:1")).ok());
  EXPECT_EQ(second.create("17.0", open("")).error().code, Errc::in_use);
  EXPECT_THAT(*stored_steps(state())->front().records, SizeIs(1));
}

TEST_F(StateDirectory, OneAtATimeGivesAStepBack) {
  StateDir dir(state());
  ASSERT_TRUE(dir.create("17.0", open("mlx5_0:1")).ok());
  auto first = lock_stored_step(state(), "17.0", 0);
  ASSERT_TRUE(first.ok() && first->valid());
  EXPECT_EQ(lock_stored_step(state(), "17.0", 10).error().code, Errc::timed_out);
  first->reset();
  EXPECT_TRUE(lock_stored_step(state(), "17.0", 0)->valid());
}

// Who waited for it finds it gone, or that of a requeued job.
TEST_F(StateDirectory, WhoWaitedForAStepGetsTheOneThatIsThere) {
  for (const bool again : {false, true}) {
    StateDir dir(state()), requeued(state());
    ASSERT_TRUE(dir.create("17.0", open("")).ok());
    auto first = lock_stored_step(state(), "17.0", 0);
    ASSERT_TRUE(first.ok());
    std::optional<Result<UniqueFd>> second;
    std::thread waiting([&] { second = lock_stored_step(state(), "17.0", 5'000); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ASSERT_TRUE(bury_stored_step(state(), "17.0").ok());
    if (again) {
      ASSERT_TRUE(requeued.create("17.0", open("")).ok());
    }
    first->reset();
    waiting.join();
    ASSERT_TRUE(second->ok());
    EXPECT_EQ((*second)->valid(), again);
    if (again) {
      EXPECT_EQ(lock_stored_step(state(), "17.0", 10).error().code, Errc::timed_out);
    }
    ASSERT_TRUE(bury_stored_step(state(), "17.0").ok());
  }
}

// A directory without a first record is that of a dead agent.
TEST_F(StateDirectory, NoReaperSeesAStepThatIsJustBeginning) {
  LiveStoredSteps stored(state());
  std::atomic<bool> over = false;
  int looked = 0, without_record = 0;
  std::thread reaper([&] {
    while (!over)
      (void)stored.exclusively("17.0", [&](const JournaledStep& step) {
        ++looked;
        without_record += step.records && !step.records->empty() ? 0 : 1;
      });
  });
  for (int i = 0; i < 300; ++i) {
    StateDir dir(state());
    EXPECT_TRUE(dir.create("17.0", open("mlx5_0:1")).ok());
    const auto lock = lock_stored_step(state(), "17.0", 5'000);  // as who removes it
    EXPECT_TRUE(dir.remove().ok());
  }
  over = true;
  reaper.join();
  EXPECT_GT(looked, 0);
  EXPECT_EQ(without_record, 0) << "of " << looked;
}

TEST_F(StateDirectory, TellsBothStepsThatAPortIsShared) {
  StateDir first(state()), second(state()), other(state());
  ASSERT_TRUE(first.create("17.0", open("")).ok() && first.append(uses("mlx5_0:1,mlx5_1:1")).ok());
  EXPECT_THAT(first.share({"mlx5_0:1", "mlx5_1:1"}), IsEmpty());
  EXPECT_THAT(first.sharers(), IsEmpty());
  ASSERT_TRUE(second.create("18.0", open("")).ok() && second.append(uses("mlx5_1:1")).ok());
  const auto before = second.share({"mlx5_1:1"});
  ASSERT_THAT(before, SizeIs(1));
  EXPECT_EQ(before[0].step + ' ' + before[0].mode, "17.0 verbs");
  EXPECT_THAT(first.sharers(), ElementsAre(Pair("18.0", PortUse::unsure)));
  EXPECT_THAT(second.sharers(), IsEmpty()) << "the first one has said nothing of itself yet";
  ASSERT_TRUE(other.create("19.0", open("")).ok() && other.append(uses("mlx5_10:1")).ok());
  EXPECT_THAT(other.share({"mlx5_10:1"}), IsEmpty()) << "mlx5_1 is not mlx5_10";

  first.tell_use({"mlx5_0:1", "mlx5_1:1"}, PortUse::used);
  second.tell_use({"mlx5_1:1"}, PortUse::idle);
  EXPECT_THAT(second.sharers(), ElementsAre(Pair("17.0", PortUse::used)));
  EXPECT_THAT(first.sharers(), ElementsAre(Pair("18.0", PortUse::idle)));
  second.tell_use({"mlx5_1:1"}, PortUse::used);
  EXPECT_THAT(first.sharers(), ElementsAre(Pair("18.0", PortUse::used)));
  EXPECT_THAT(other.sharers(), IsEmpty());
  EXPECT_TRUE(first.remove().ok()) << "with the mark in it";
}

// Its agent was killed as it wrote.
TEST_F(StateDirectory, ARecordBehindHalfALineTakesThatOnesPlace) {
  {
    StateDir dir(state());
    ASSERT_TRUE(dir.create("17.0", open("mlx5_0:1")).ok());
  }
  const Record second = uses("mlx5_0:1");
  const std::string line = encode_record(second);
  std::ofstream(state() + "/17.0/journal", std::ios::app) << line.substr(0, line.size() / 2);
  ASSERT_TRUE(append_to_stored_step(state(), "17.0", second).ok());
  const auto step = stored_step(state(), "17.0");
  ASSERT_TRUE(step->records.ok()) << step->records.error().message();
  ASSERT_THAT(*step->records, SizeIs(2));
  EXPECT_EQ(ports_of(*step->records).ports, "mlx5_0:1");
}

TEST_F(StateDirectory, OfOthersIsRefused) {
  ASSERT_EQ(::mkdir(state().c_str(), 0700), 0);
  ASSERT_EQ(::chmod(state().c_str(), 0777), 0);
  EXPECT_EQ(StateDir(state()).create("17.0", open("")).error().code, Errc::bad_config);
  EXPECT_FALSE(stored_steps(state()).ok());
}

TEST_F(StateDirectory, InAPlaceThatOthersCanWriteIsRefusedByName) {
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  EXPECT_THAT(StateDir(state()).create("17.0", open("")).error().what,
              testing::HasSubstr(folder_ + " can be written"));
  EXPECT_FALSE(stored_steps(state()).ok());
}

TEST_F(StateDirectory, IsNeverReachedThroughALink) {
  std::filesystem::create_directory(folder_ + "/elsewhere");
  std::filesystem::create_directory_symlink(folder_ + "/elsewhere", state());
  EXPECT_FALSE(StateDir(state()).create("17.0", open("")).ok());
  std::filesystem::remove(state());
  StateDir dir(state());
  ASSERT_TRUE(dir.create("17.0", open("")).ok());
  std::filesystem::create_directory_symlink(folder_ + "/elsewhere", state() + "/18.0");
  EXPECT_FALSE(StateDir(state()).create("18.0", open("")).ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/elsewhere"));
}

TEST_F(StateDirectory, AGarbledJournalIsReportedAndNotGuessedAt) {
  StateDir dir(state());
  ASSERT_TRUE(dir.create("17.0", open("")).ok());
  std::ofstream(state() + "/17.0/journal") << "garbage\n";
  EXPECT_EQ(stored_steps(state())->front().records.error().code, Errc::corrupt);
}

TEST_F(StateDirectory, AJournalIsHeldAsLongAsItsWriterLives) {
  {
    StateDir dir(state());
    ASSERT_TRUE(dir.create("17.0", open("")).ok());
    EXPECT_TRUE(stored_steps(state())->front().held);
    EXPECT_TRUE(stored_step(state(), "17.0")->held) << "having been looked at";
  }
  EXPECT_FALSE(stored_steps(state())->front().held);
}

// A journal's page is full when no other one is left, so that a record is cut off in its middle.
TEST_F(StateDirectory, AFullFileSystemLeavesNoPartOfALine) {
  ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=64k,mode=700"), 0);
  {
    StateDir dir(state());
    ASSERT_TRUE(dir.create("17.0", open("")).ok());
    std::ofstream(folder_ + "/filler") << std::string(64 * 1024, 'x');
    std::size_t kept = 1;
    while (kept < 1000 && dir.append(uses("mlx5_0:1")).ok()) ++kept;
    ASSERT_LT(kept, 1000U);
    EXPECT_FALSE(dir.append(uses("mlx5_0:1")).ok());
    EXPECT_THAT(*stored_steps(state())->front().records, SizeIs(kept));
    std::filesystem::remove(folder_ + "/filler");
    EXPECT_TRUE(dir.append(uses("mlx5_1:1")).ok());
    EXPECT_THAT(*stored_steps(state())->front().records, SizeIs(kept + 1));
  }
  EXPECT_EQ(::umount2(folder_.c_str(), MNT_DETACH), 0);
}

TEST_F(StateDirectory, TheJournalsOfDeadStepsAreKeptAndNotTooMany) {
  for (int step = 100; step < 120; ++step) {
    const std::string name = std::to_string(step) + ".0";
    ASSERT_TRUE(StateDir(state()).create(name, open("")).ok());
    const auto kept = bury_stored_step(state(), name);
    ASSERT_TRUE(kept.ok());
    EXPECT_THAT(*kept, testing::EndsWith("-" + name));
    EXPECT_TRUE(std::filesystem::exists(*kept));
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(state() + "/died"))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, SizeIs(16));
  EXPECT_THAT(names, testing::Not(testing::Contains(testing::EndsWith("-103.0"))));
  EXPECT_THAT(*stored_steps(state()), IsEmpty());
}

// As Slurm's namespace/linux with CLONE_NEWPID starts them: the first process is slurmstepd's.
TEST_F(StateDirectory, AStepInAnotherPidNamespaceIsNotGivenBackWhileItsProcessesLive) {
  Child inside([&] {
    enter_own_processes();
    Opened by;
    by.stepd = identity_of(::getpid());
    by.boot = boot_id().value();
    by.pid_namespace = pid_namespace_here();
    new Child([&] {
      auto* journal = new StateDir(state());
      by.agent = identity_of(::getpid());
      if (!journal->create("17.0", {1, Mark::done, by}).ok()) ::_exit(1);
    });
  });
  LiveStoredSteps stored(state());
  LiveKernel kernel(state());
  const auto steps = stored.steps();
  ASSERT_THAT(*steps, SizeIs(1));
  EXPECT_TRUE(steps->front().held);
  const Opened by = *opened(*steps->front().records);
  const auto find = [&](const ProcessIdentity& who) {
    return find_process(who.pid, who.start, by.pid_namespace);
  };
  const auto agent = find(by.agent), stepd = find(by.stepd);
  ASSERT_TRUE(agent && stepd);
  EXPECT_NE(std::to_string(*agent), by.agent.pid);
  EXPECT_FALSE(find_process(by.agent.pid, by.agent.start, "1"));
  EXPECT_THAT(reap(stored, kernel, "")->given_back, IsEmpty());

  ASSERT_TRUE(signal_process(
      *agent, SIGKILL, [&](pid_t pid) { return find(by.agent) == pid; }, 10'000));
  EXPECT_FALSE(stored.steps()->front().held);
  EXPECT_THAT(reap(stored, kernel, "")->given_back, IsEmpty()) << "its slurmstepd lives";

  ASSERT_TRUE(signal_process(
      *stepd, SIGKILL, [&](pid_t pid) { return find(by.stepd) == pid; }, 10'000));
  EXPECT_THAT(reap(stored, kernel, "")->given_back, testing::ElementsAre("17.0"));
}

TEST_F(StateDirectory, HoldsOtherFilesThatAreNoSteps) {
  StateDir dir(state());
  ASSERT_TRUE(dir.create("17.0", open("mlx5_0:1")).ok());
  std::ofstream(state() + "/inventory") << "fingerprint 0\n";
  std::filesystem::create_directory(state() + "/lost+found");
  EXPECT_THAT(dir.share({"mlx5_0:1"}), IsEmpty());
  ASSERT_THAT(*stored_steps(state()), SizeIs(1));
  EXPECT_EQ(stored_steps(state())->front().name, "17.0");
}

TEST_F(StateDirectory, NoneAtAllIsNoError) { EXPECT_THAT(*stored_steps(state()), IsEmpty()); }

}  // namespace
}  // namespace cib::test
