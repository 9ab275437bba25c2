// The device mount in a mount namespace of another process; /dev/null and /dev/zero stand for uverbs nodes.
#include "adapters/linux/devices.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <map>

#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

class DeviceMount : public Scratch {
 protected:
  // A process in a mount namespace of its own that has a /dev/infiniband, as a task has after
  // task_init_privileged.
  static Child task_with(const char* make_infiniband = "mkdir -p /dev/infiniband") {
    return Child([make_infiniband] {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0 ||
          ::mount("tmpfs", "/dev", "tmpfs", 0, nullptr) != 0 || std::system(make_infiniband) != 0)
        ::_exit(1);
    });
  }

  static UniqueFd mount_namespace(const Child& child) {
    return UniqueFd(
        ::open(("/proc/" + std::to_string(child.pid()) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  }

  static std::string seen_by(const Child& child, const std::string& name = "") {
    return "/proc/" + std::to_string(child.pid()) + "/root/dev/infiniband" + (name.empty() ? "" : "/" + name);
  }

  static std::vector<std::string> listing(const Child& child) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(seen_by(child)))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  static std::vector<DeviceNode> nodes() {
    return {{"uverbs0", "mlx5_0", makedev(1, 3), 0666, 0, 0}, {"rdma_cm", "", makedev(1, 5), 0660, 0, 7}};
  }
};

TEST_F(DeviceMount, ShowsTheNodesAndNothingElse) {
  const Child task = task_with("mkdir -p /dev/infiniband && touch /dev/infiniband/uverbs9");
  const auto mount = make_device_mount(nodes());
  ASSERT_TRUE(mount.ok()) << mount.error().message();
  const auto status = mount_over_infiniband(mount_namespace(task).get(), *mount);
  ASSERT_TRUE(status.ok()) << status.error().message();
  EXPECT_THAT(listing(task), testing::ElementsAre("rdma_cm", "uverbs0"));
  struct stat node {};
  ASSERT_EQ(::stat(seen_by(task, "rdma_cm").c_str(), &node), 0);
  EXPECT_EQ(node.st_rdev, makedev(1, 5));
  EXPECT_EQ(node.st_mode & 07777, 0660U);
  EXPECT_EQ(node.st_gid, 7U);
  const UniqueFd opened(::open(seen_by(task, "uverbs0").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(opened.valid()) << "the mount must allow devices";
}

TEST_F(DeviceMount, CannotBeWrittenInto) {
  const Child task = task_with();
  const auto mount = make_device_mount(nodes());
  ASSERT_TRUE(mount.ok());
  ASSERT_TRUE(mount_over_infiniband(mount_namespace(task).get(), *mount).ok());
  EXPECT_NE(::mknod(seen_by(task, "uverbs1").c_str(), S_IFCHR | 0666, makedev(1, 7)), 0);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(DeviceMount, IsTakenAwayOnceAndOnlyIfItIsOurs) {
  const Child task = task_with("mkdir -p /dev/infiniband && touch /dev/infiniband/uverbs9");
  const UniqueFd ns = mount_namespace(task);
  const auto mount = make_device_mount(nodes());
  ASSERT_TRUE(mount.ok());
  struct stat made {};
  ASSERT_EQ(::fstat(mount->get(), &made), 0);
  EXPECT_TRUE(unmount_infiniband(ns.get(), made.st_dev).ok()) << "it never happened";
  ASSERT_TRUE(mount_over_infiniband(ns.get(), *mount).ok());
  EXPECT_TRUE(unmount_infiniband(ns.get(), made.st_dev + 1).ok()) << "another one's";
  EXPECT_THAT(listing(task), testing::Contains("uverbs0"));
  EXPECT_TRUE(unmount_infiniband(ns.get(), made.st_dev).ok());
  EXPECT_THAT(listing(task), testing::ElementsAre("uverbs9"));
}

// A container image may have made anything of its /dev/infiniband; root must not follow it.
TEST_F(DeviceMount, IsNotMountedThroughALink) {
  const Child task = task_with("ln -s /etc /dev/infiniband");
  const auto mount = make_device_mount(nodes());
  ASSERT_TRUE(mount.ok());
  const auto status = mount_over_infiniband(mount_namespace(task).get(), *mount);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().sys_errno, ELOOP);
  EXPECT_TRUE(std::filesystem::exists("/proc/" + std::to_string(task.pid()) + "/root/etc/passwd"));
}

TEST_F(DeviceMount, WithoutAPlaceForItNamesTheCause) {
  const Child task = task_with("true");
  const auto mount = make_device_mount(nodes());
  ASSERT_TRUE(mount.ok());
  EXPECT_EQ(mount_over_infiniband(mount_namespace(task).get(), *mount).error().sys_errno, ENOENT);
}

// As in a container's /dev, which is its user's, so that the node's root may make nothing there.
TEST_F(DeviceMount, MakesItsPlaceWithTheRightsOfTheTasksUser) {
  constexpr std::uint32_t nobody = 65534;
  for (const auto& [owner, made] : std::map<std::string, bool>{{"65534", true}, {"0", false}}) {
    const std::string prepare = "chmod 755 /dev && chown " + owner + " /dev";
    const Child task = task_with(prepare.c_str());
    const auto mount = make_device_mount(nodes());
    ASSERT_TRUE(mount.ok());
    const auto status =
        mount_over_infiniband(mount_namespace(task).get(), *mount, FileOwner{.uid = nobody, .gid = nobody});
    EXPECT_EQ(status.ok(), made);
    if (made) {
      EXPECT_THAT(listing(task), testing::ElementsAre("rdma_cm", "uverbs0"));
    } else {
      EXPECT_EQ(status.error().sys_errno, EACCES);
    }
  }
}

TEST_F(DeviceMount, OfAnotherStepIsAdoptedIfItHasTheNodes) {
  const Child task = task_with();
  const auto mount = make_device_mount(nodes());
  ASSERT_TRUE(mount.ok());
  struct stat made {};
  ASSERT_EQ(::fstat(mount->get(), &made), 0);
  ASSERT_TRUE(mount_over_infiniband(mount_namespace(task).get(), *mount).ok());
  const auto adopted = device_mount_in(mount_namespace(task).get(), nodes());
  ASSERT_TRUE(adopted.ok()) << adopted.error().message();
  EXPECT_EQ(*adopted, made.st_dev);
  for (const auto& [name, minor] : std::map<std::string, unsigned>{{"uverbs0", 7}, {"uverbs1", 3}}) {
    const auto other =
        device_mount_in(mount_namespace(task).get(), {{name, "", makedev(1, minor), 0666, 0, 0}});
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.error().code, Errc::changed) << other.error().message();
  }
}

TEST_F(DeviceMount, WhatAContainersSysfsShowsIsListed) {
  const auto shown = [](const char* prepare) {
    const Child task = task_with(prepare);
    return rdma_devices_shown_in(mount_namespace(task).get());
  };
  const auto two =
      shown("mount -t tmpfs none /sys && mkdir -p /sys/class/infiniband/mlx5_0 /sys/class/infiniband/mlx5_1");
  ASSERT_TRUE(two.ok()) << two.error().message();
  EXPECT_THAT(*two, testing::ElementsAre("mlx5_0", "mlx5_1"));
  EXPECT_THAT(*shown("mount -t tmpfs none /sys"), testing::IsEmpty());
  EXPECT_FALSE(
      shown("mount -t tmpfs none /sys && mkdir -p /sys/class && ln -s /etc /sys/class/infiniband").ok());
}

TEST_F(DeviceMount, LeavesTheHostAlone) {
  const auto before = std::filesystem::exists("/dev/infiniband");
  const Child task = task_with();
  const auto mount = make_device_mount(nodes());
  ASSERT_TRUE(mount.ok());
  ASSERT_TRUE(mount_over_infiniband(mount_namespace(task).get(), *mount).ok());
  EXPECT_EQ(std::filesystem::exists("/dev/infiniband"), before);
  EXPECT_FALSE(std::filesystem::exists("/dev/infiniband/uverbs0") && !before);
}

}  // namespace
}  // namespace cib::test
