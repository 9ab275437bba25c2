#include "adapters/linux/cgroup_paths.hpp"

#include <gmock/gmock.h>

namespace cib::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Case {
  const char *path, *jobs, *step;
};

TEST(CgroupPaths, TheJobIsTheParentOfTheStepWhateverItsName) {
  for (const auto& [path, jobs, step] : {
           Case{"/system.slice/slurmstepd.scope/job_5/step_0/user/task_0", "/system.slice/slurmstepd.scope",
                "/system.slice/slurmstepd.scope/job_5/step_0"},
           Case{"/system.slice/slurmstepd.scope/s8BKXMA0R7H400/step_batch/slurm",
                "/system.slice/slurmstepd.scope", "/system.slice/slurmstepd.scope/s8BKXMA0R7H400/step_batch"},
           Case{"/slurm/uid_1000/job_5/step_0", "/slurm", "/slurm/uid_1000/job_5/step_0"},
           Case{"/job_5/step_0", "", "/job_5/step_0"},
           Case{"/outer/job_1/step_0/user/task_0/inner/job_2/step_3/slurm",
                "/outer/job_1/step_0/user/task_0/inner",
                "/outer/job_1/step_0/user/task_0/inner/job_2/step_3"},
       }) {
    const auto part = step_part(path);
    ASSERT_TRUE(part.has_value()) << path;
    EXPECT_EQ(part->jobs, jobs) << path;
    EXPECT_EQ(part->step, step) << path;
  }
  for (const char* path :
       {"/", "", "/user.slice/session-1.scope", "/system.slice/slurmstepd.scope/system", "/step_0"})
    EXPECT_FALSE(step_part(path).has_value()) << path;
}

TEST(CgroupPaths, AStepIsNamedAsSlurmNamesIt) {
  EXPECT_EQ(step_name_of_cgroup("/slurm/uid_1000/job_17/step_0"), "17.0");
  EXPECT_EQ(step_name_of_cgroup("/system.slice/slurmstepd.scope/job_17/step_batch"), "17.batch");
  EXPECT_EQ(step_name_of_cgroup("/system.slice/slurmstepd.scope/s8BKXMA0R7H400/step_3"), "s8BKXMA0R7H400.3");
}

TEST(CgroupPaths, AProcessIsInEachHierarchyOnce) {
  const auto found =
      parse_cgroups("12:freezer:/slurm\n3:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/c\nno colons\n");
  ASSERT_EQ(found.size(), 4U);
  EXPECT_FALSE(found[0].unified);
  EXPECT_EQ(found[0].controllers, "freezer");
  EXPECT_EQ(found[1].path, "/a:b");
  EXPECT_TRUE(found[3].unified);
  EXPECT_EQ(found[3].path, "/c");
}

const std::vector<Mount> mounts = parse_mountinfo(
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "37 31 0:34 /docker/1 /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
    "38 31 0:34 / /host\\040cgroups/freezer rw shared:3 - cgroup cgroup rw,freezer\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");

TEST(CgroupPaths, AMountThatDoesNotShowTheCgroupIsPassedOver) {
  const CgroupMembership freezer{.unified = false, .controllers = "freezer", .path = ""};
  EXPECT_THAT(places_of(freezer, "/slurm/job_1", mounts), ElementsAre("/host cgroups/freezer/slurm/job_1"));
  EXPECT_THAT(places_of(freezer, "/docker/1/job_1", mounts),
              ElementsAre("/sys/fs/cgroup/freezer/job_1", "/host cgroups/freezer/docker/1/job_1"));
  EXPECT_THAT(places_of(freezer, "/docker/1", mounts),
              ElementsAre("/sys/fs/cgroup/freezer", "/host cgroups/freezer/docker/1"));
  EXPECT_THAT(places_of(freezer, "/docker/10", mounts), ElementsAre("/host cgroups/freezer/docker/10"));
}

TEST(CgroupPaths, AHierarchyIsKnownByItsKindAndItsControllers) {
  const CgroupMembership unified{.unified = true, .controllers = "", .path = ""};
  EXPECT_THAT(places_of(unified, "/a", mounts), ElementsAre("/sys/fs/cgroup/unified/a"));
  const CgroupMembership cpu{.unified = false, .controllers = "cpu", .path = ""};
  EXPECT_THAT(places_of(cpu, "/a", mounts), IsEmpty());
}

}  // namespace
}  // namespace cib::test
