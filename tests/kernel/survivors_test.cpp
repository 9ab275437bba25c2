// Whom the agent kills when slurmstepd has died, and whom it does not: numbers of processes and of namespaces
// are used again meanwhile.
#include "adapters/linux/survivors.hpp"

#include <gmock/gmock.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "adapters/linux/namespaces.hpp"
#include "kernel/agent_process.hpp"
#include "support/temp_tree.hpp"

namespace cib::test {
namespace {

using testing::IsEmpty;
using testing::StartsWith;

// A process of this number, which must be free. -1: this kernel or user cannot choose one.
pid_t sleeper_with_number(pid_t number) {
  clone_args how{};
  how.exit_signal = SIGCHLD;
  how.set_tid = reinterpret_cast<std::uintptr_t>(&number);
  how.set_tid_size = 1;
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
  if (pid == 0)
    for (;;) ::pause();
  return pid;
}

bool lives(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) == 0; }

TEST(Survivors, AreKilledAndOthersAreNot) {
  Child task([] {}), stranger([] {});
  const UniqueFd pidfd = open_pidfd(task.pid()).value();
  EXPECT_THAT(kill_survivors({.tasks = {pidfd.get()}}, 2000), testing::IsEmpty());
  EXPECT_TRUE(has_ended(pidfd.get()));
  EXPECT_TRUE(lives(stranger.pid()));
}

TEST(Survivors, AreNeverLookedForInTheNodesOwnMountNamespace) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be in a PID namespace of its own";
  Child stranger([] {});
  const UniqueFd own(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(own.valid());
  EXPECT_THAT(kill_survivors({.mount_namespaces = {own.get()}}, 2000), testing::IsEmpty());
  EXPECT_TRUE(lives(stranger.pid()));
}

// A sleeping process whose environment says that; in the mount namespace of that file, or in a new one.
class Sleeper {
 public:
  Sleeper(const std::string& says, const std::string& mount_namespace) {
    pid_ = ::fork();
    if (pid_ == 0) {
      const UniqueFd ns(::open(mount_namespace.c_str(), O_RDONLY | O_CLOEXEC));
      if (ns ? ::setns(ns.get(), CLONE_NEWNS) != 0 : ::unshare(CLONE_NEWNS) != 0) ::_exit(1);
      ::execle("/usr/bin/sleep", "sleep", "60", nullptr,
               std::array{"SLURM_JOB_ID=17", says.c_str(), static_cast<const char*>(nullptr)}.data());
      ::_exit(1);
    }
    while (process_name(pid_) != "sleep" && ::waitpid(pid_, nullptr, WNOHANG) == 0) ::usleep(1000);
  }
  ~Sleeper() {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) return;
    signal_process(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string mount_namespace() const { return "/proc/" + std::to_string(pid_) + "/ns/mnt"; }
  bool lives() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

 private:
  pid_t pid_;
};

TEST(Survivors, InAContainerThatOthersMayBeInThoseOfAnotherStepAreSpared) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to make a mount namespace";
  const Sleeper own("SLURM_STEP_ID=0", "");
  const Sleeper silent("HOME=/", own.mount_namespace()), others("SLURM_STEP_ID=1", own.mount_namespace());
  const UniqueFd container(::open(own.mount_namespace().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(others.lives() && container.valid());
  EXPECT_THAT(kill_survivors({.containers = {container.get()}, .job = 17, .step = 0}, 2000),
              testing::IsEmpty());
  EXPECT_FALSE(own.lives());
  EXPECT_FALSE(silent.lives());
  EXPECT_TRUE(others.lives());
}

TEST(Survivors, ACgroupThatIsStillHeldIsRemovedOnceItIsNot) {
  const TempTree tree;
  tree.file("job_1/step_0/slurm/process", "");  // rmdir fails as long as it is there
  struct stat directory {};
  ASSERT_EQ(::stat(tree.path("job_1/step_0").c_str(), &directory), 0);
  const auto cgroup = open_step_cgroup(tree.path("job_1/step_0"), directory.st_ino);
  ASSERT_TRUE(cgroup.has_value());
  std::thread leaves([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::filesystem::remove(tree.path("job_1/step_0/slurm/process"));
  });
  EXPECT_THAT(kill_survivors({.cgroups = {&*cgroup}}, 5000), testing::IsEmpty());
  leaves.join();
  EXPECT_FALSE(std::filesystem::exists(tree.path("job_1")));
}

TEST(Survivors, NobodyIsNoError) { EXPECT_THAT(kill_survivors({}, 100), testing::IsEmpty()); }

TEST(Survivors, TheNumberOfATaskMayBeAnothersWhileTheOthersAreKilled) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to choose a number";
  // Something that keeps it going round until its time is over.
  const TempTree tree;
  tree.file("job_1/step_0/held", "");
  struct stat directory {};
  ASSERT_EQ(::stat(tree.path("job_1/step_0").c_str(), &directory), 0);
  const auto cgroup = open_step_cgroup(tree.path("job_1/step_0"), directory.st_ino);
  ASSERT_TRUE(cgroup.has_value());

  Child task([] {});
  const pid_t number = task.pid();
  const UniqueFd pidfd = open_pidfd(number).value();
  std::thread killing(
      [&] { EXPECT_THAT(kill_survivors({.tasks = {pidfd.get()}, .cgroups = {&*cgroup}}, 1000), IsEmpty()); });
  ASSERT_EQ(::waitpid(number, nullptr, 0), number);
  const pid_t stranger = sleeper_with_number(number);
  killing.join();
  ASSERT_EQ(stranger, number) << std::strerror(errno);
  EXPECT_TRUE(lives(stranger));
  task.end();  // the stranger: it has the number now
}

// A task that leaves the namespace which it offered for a container of its user's, as with pyxis: then only
// the agent holds it.
TEST_F(Scratch, TheNumberOfANamespaceThatATaskLeftIsNoStrangers) {
  AgentProcess agent(folder_, 1);
  int from[2], to[2];
  ASSERT_TRUE(::pipe2(from, O_CLOEXEC) == 0 && ::pipe2(to, O_CLOEXEC) == 0);
  const auto wait_for_task = [&] {
    char byte = 0;
    return ::read(from[0], &byte, 1) == 1;
  };
  const pid_t task = ::fork();
  if (task == 0) {
    char byte = 0;
    ::close(agent.lifeline());
    (void)!::unshare(CLONE_NEWNS);
    (void)!::write(from[1], "x", 1);
    (void)!::read(to[0], &byte, 1);
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(1);
    (void)!::write(from[1], "x", 1);
    for (;;) ::pause();
  }
  ASSERT_TRUE(wait_for_task());
  const std::string its = "/proc/" + std::to_string(task) + "/ns/mnt";
  const std::uint64_t offered = namespace_of_process(task, "mnt").value();
  agent.tell_started(0, task);
  {
    const UniqueFd ns(::open(its.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(send_frame(agent.channel(0), wire::Namespaces{}, patience_ms, std::array{ns.get()}).ok());
  }
  ASSERT_EQ(::write(to[1], "x", 1), 1);
  ASSERT_TRUE(wait_for_task());
  ASSERT_TRUE(send_frame(agent.channel(0), wire::Ready{}, patience_ms).ok());
  ASSERT_THAT(agent.answer(0), StartsWith("declined: "));
  ASSERT_NE(namespace_of_process(task, "mnt").value(), offered);

  // Somebody else's, one of which gets the number if it is free.
  std::vector<std::unique_ptr<Child>> strangers;
  for (int i = 0; i < 20; ++i)
    strangers.push_back(std::make_unique<Child>([&] {
      ::close(agent.lifeline());
      (void)!::unshare(CLONE_NEWNS);
    }));
  agent.end_stepd();
  EXPECT_EQ(agent.status(), 0);
  for (const auto& stranger : strangers) {
    EXPECT_TRUE(lives(stranger->pid()));
  }
  EXPECT_FALSE(lives(task)) << "its slurmstepd is dead";
  for (const int end : {from[0], from[1], to[0], to[1]}) ::close(end);
}

}  // namespace
}  // namespace cib::test
