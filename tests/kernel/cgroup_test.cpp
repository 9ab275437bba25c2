// Cgroups of this machine, made like Slurm's: of version 2, and the v1 hierarchy in which it tracks
// processes.
#include "adapters/linux/cgroup.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "adapters/linux/process.hpp"
#include "adapters/linux/survivors.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "kernel/scratch.hpp"
#include "support/temp_tree.hpp"

namespace cib::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

struct Hierarchy {
  const char* name;
  const char* type;     // as mountinfo has it
  const char* options;  // "freezer"; of v2 ""
};

void PrintTo(const Hierarchy& hierarchy, std::ostream* out) { *out << hierarchy.name; }

std::string mount_of(const Hierarchy& hierarchy) {
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, point;
    words >> id >> parent >> device >> root >> point;
    if (root == "/" && line.find(std::string(" - ") + hierarchy.type + " ") != std::string::npos &&
        line.ends_with(hierarchy.options))
      return point;
  }
  return "";
}

void write_to(const std::string& file, const std::string& text) { std::ofstream(file) << text; }

class StepsCgroup : public testing::TestWithParam<Hierarchy> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const std::string point = mount_of(GetParam());
    if (point.empty()) GTEST_SKIP() << "this machine has no " << GetParam().name;
    std::string name = point + "/cib-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) GTEST_SKIP() << name << ": " << std::strerror(errno);
    root_ = name;
    make_step();
  }
  void TearDown() override {
    if (!root_.empty()) remove(root_);
  }
  static void remove(const std::string& directory) {
    for (const auto& entry : std::filesystem::directory_iterator(directory))
      if (entry.is_directory()) remove(entry.path());
    (void)::rmdir(directory.c_str());
  }

  // As 26.05 calls them.
  std::string job() const { return root_ + "/s0123456789ABC"; }
  std::string step() const { return job() + "/step_0"; }
  void make_step() const { std::filesystem::create_directories(step() + "/user/task_0"); }
  static Child member_of(const std::string& cgroup) {
    return Child([&] { write_to(cgroup + "/cgroup.procs", "0"); });
  }
  std::string cgroup_of(pid_t pid) const {
    std::ifstream lines("/proc/" + std::to_string(pid) + "/cgroup");
    for (std::string line; std::getline(lines, line);)
      if (const auto at = line.find("/cib-test-"); at != std::string::npos)
        return root_.substr(0, root_.rfind('/')) + line.substr(at);
    return "";
  }
  static bool ended(const Child& child) { return has_ended(open_pidfd(child.pid()).value().get()); }

  std::string root_;
};

constexpr Hierarchy v2{"v2", "cgroup2", ""}, v1{"v1", "cgroup", "freezer"};

INSTANTIATE_TEST_SUITE_P(Of, StepsCgroup, testing::Values(v2, v1),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(StepsCgroup, IsFoundUnderAnyJobsName) {
  const Child task = member_of(step() + "/user/task_0");
  const auto cgroup = step_cgroup_of(task.pid());
  ASSERT_TRUE(cgroup.has_value());
  EXPECT_EQ(cgroup->path, step());
  EXPECT_THAT(processes_in(*cgroup), UnorderedElementsAre(task.pid()));
  EXPECT_FALSE(step_cgroup_of(::getpid()).has_value());
}

TEST_P(StepsCgroup, IsFoundAmongMoreMountsThan64KiBOfText) {
  const Child task = member_of(step() + "/user/task_0");
  const TempTree tree;
  tree.directory(std::string(180, 'x'));
  const std::string point = tree.path(std::string(180, 'x'));
  int mounts = 0;
  while (mounts < 400 && ::mount("none", point.c_str(), "tmpfs", 0, nullptr) == 0) ++mounts;
  const auto cgroup = step_cgroup_of(task.pid());
  for (int i = 0; i < mounts; ++i) ::umount2(point.c_str(), MNT_DETACH);
  ASSERT_EQ(mounts, 400);
  EXPECT_TRUE(cgroup.has_value());
}

TEST_P(StepsCgroup, IsLeftForALeafOutsideOfEveryJob) {
  const Child agent([&] {
    write_to(step() + "/user/cgroup.procs", "0");
    if (!leave_step_cgroup().ok()) ::_exit(1);
  });
  EXPECT_EQ(cgroup_of(agent.pid()), GetParam().name == v2.name ? root_ + "/container-ib" : root_);
}

// Only v2 limits their number.
class StepsCgroupOfV2 : public StepsCgroup {};
INSTANTIATE_TEST_SUITE_P(Only, StepsCgroupOfV2, testing::Values(v2));

TEST_P(StepsCgroupOfV2, ThatCannotBeLeftIsAnError) {
  write_to(root_ + "/cgroup.max.descendants", "1");  // there are more
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Child agent([&] {
    write_to(step() + "/user/cgroup.procs", "0");
    const auto status = leave_step_cgroup();
    const std::string text = status.ok() ? "ok" : status.error().message();
    (void)!::write(ends[1], text.data(), text.size());
  });
  char text[512] = {};
  (void)!::read(ends[0], text, sizeof text - 1);
  EXPECT_THAT(text,
              AllOf(HasSubstr("leave the step's cgroup "), HasSubstr("mkdir "), HasSubstr("temporarily")));
  for (const int end : ends) ::close(end);
}

TEST_P(StepsCgroup, TakesEveryProcessAndItselfWithIt) {
  const Child task = member_of(step() + "/user/task_0"), stranger = member_of(root_);
  std::filesystem::create_directory(step() + "/slurm");
  const Child helper = member_of(step() + "/slurm");
  {
    const auto cgroup = step_cgroup_of(task.pid());
    ASSERT_TRUE(cgroup.has_value());
    EXPECT_THAT(kill_survivors({.cgroups = {&*cgroup}}, 5000), IsEmpty());
  }
  EXPECT_TRUE(ended(task) && ended(helper));
  EXPECT_FALSE(ended(stranger));
  EXPECT_FALSE(std::filesystem::exists(job()));
}

TEST_P(StepsCgroup, OfTheSameNameIsNotTheSameCgroup) {
  std::optional<StepCgroup> held;
  {
    const Child task = member_of(step() + "/user/task_0");
    held = step_cgroup_of(task.pid());
  }
  ASSERT_TRUE(held.has_value());
  remove(job());
  make_step();
  const Child stranger = member_of(step() + "/user/task_0");
  EXPECT_FALSE(open_step_cgroup(step(), held->inode).has_value());
  EXPECT_THAT(kill_survivors({.cgroups = {&*held}}, 1000), IsEmpty());
  EXPECT_FALSE(ended(stranger));
  EXPECT_TRUE(std::filesystem::exists(step() + "/user/task_0"));
}

TEST_P(StepsCgroup, IsWhatAReaperKillsIfItIsTheOneThatWasWrittenDown) {
  const Child task = member_of(step() + "/user/task_0"), helper = member_of(step() + "/user");
  const std::string pid = std::to_string(task.pid()), start = std::to_string(start_time(task.pid()).value());
  const std::string inode = std::to_string(step_cgroup_of(task.pid())->inode);
  LiveStoredSteps stored(root_);
  EXPECT_THAT(stored.kill({{{{pid, start + "0"}, step(), inode + "0"}, ""}}), IsEmpty());
  EXPECT_FALSE(ended(task) || ended(helper));
  EXPECT_THAT(stored.kill({{{{pid, start}, step(), inode + "0"}, ""}}), IsEmpty());
  EXPECT_TRUE(ended(task));
  EXPECT_FALSE(ended(helper));
  EXPECT_THAT(stored.kill({{{{pid, start}, step(), inode}, ""}}), IsEmpty());
  EXPECT_TRUE(ended(helper));
  EXPECT_FALSE(std::filesystem::exists(job()));
}

// Slurm does not mind that the directory is there: the later step is in the cgroup of the earlier.
TEST_P(StepsCgroup, InWhichALaterStepRunsIsLeftAlone) {
  const auto slurmstepd = [&] {
    write_to(step() + "/user/cgroup.procs", "0");
    (void)::prctl(PR_SET_NAME, "slurmstepd");
  };
  const Child left = member_of(step() + "/user/task_0"), later(slurmstepd);
  const auto cgroup = step_cgroup_of(left.pid());
  ASSERT_TRUE(cgroup.has_value());
  EXPECT_THAT(kill_survivors({.cgroups = {&*cgroup}, .reused = true}, 0),
              testing::ElementsAre("pid " + std::to_string(later.pid()) +
                                   " (slurmstepd), of a later step in the same cgroup,"));
  EXPECT_FALSE(ended(left) || ended(later));

  const UniqueFd pidfd = open_pidfd(later.pid()).value();  // before it has tasks, its agent may clear up
  EXPECT_THAT(kill_survivors({.cgroups = {&*cgroup}, .reused = true, .stepd = pidfd.get()}, 5000), IsEmpty());
  EXPECT_TRUE(ended(left));
  EXPECT_FALSE(ended(later));
}

}  // namespace
}  // namespace cib::test
