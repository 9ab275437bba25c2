// A task's folder on this kernel: who sees it, who can do what with it, and that it goes; /dev/null and
// /dev/zero stand for uverbs nodes.
#include "adapters/linux/task_folder.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "adapters/attach/live_kernel.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

using testing::HasSubstr;

constexpr uid_t alice = 1000, bob = 1001;

class FolderOfATask : public Scratch {
 protected:
  // A shared mount, as / is on a node, in a folder that everybody may pass.
  void SetUp() override {
    Scratch::SetUp();
    if (folder_.empty()) return;
    ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
    ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", MS_NODEV | MS_NOSUID, "mode=755"), 0);
    ASSERT_EQ(::mount(nullptr, folder_.c_str(), nullptr, MS_SHARED, nullptr), 0);
  }
  void TearDown() override {
    if (!folder_.empty()) ::umount2(folder_.c_str(), MNT_DETACH);
    Scratch::TearDown();
  }

  std::string path() const { return folder_ + "/state-tasks/17.0-3"; }
  static std::vector<DeviceNode> nodes() {
    return {{"uverbs0", "mlx5_0", makedev(1, 3), 0666, 0, 0}, {"rdma_cm", "", makedev(1, 5), 0666, 0, 0}};
  }
  void make() const {
    LiveKernel kernel(folder_ + "/state");
    const auto made = kernel.apply(MakeTaskFolder{path()});
    ASSERT_TRUE(made.ok()) << made.error().message();
    const auto put = put_devices_into(path(), nodes());
    ASSERT_TRUE(put.ok()) << put.error().message();
    const auto finished = finish_task_folder(
        path(), nodes(), {{"cdi/a.json", "{}\n"}, {"containers.conf", "[containers]\n"}}, {alice, alice});
    ASSERT_TRUE(finished.ok()) << finished.error().message();
  }
  Status remove() const { return LiveKernel(folder_ + "/state").undo(MakeTaskFolder{path()}); }

  // What a process says as that user, in a namespace of its own making or not: 0, or an errno.
  template <class Work>
  static int as(uid_t user, Work work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      if (::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(255);
      ::_exit(work());
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static int opens(const std::string& what, int flags = O_RDONLY) {
    const UniqueFd file(::open(what.c_str(), flags | O_CLOEXEC, 0600));
    return file ? 0 : errno;
  }
  std::string device() const { return path() + "/infiniband/uverbs0"; }
};

TEST_F(FolderOfATask, ItsUserOpensWhatIsInItAndNobodyElseSeesAnything) {
  make();
  EXPECT_EQ(as(alice, [&] { return opens(device(), O_RDWR); }), 0)
      << "on a mount that lets devices be opened";
  EXPECT_EQ(as(alice, [&] { return opens(path() + "/containers.conf"); }), 0);
  EXPECT_EQ(as(alice, [&] { return opens(path() + "/cdi/a.json"); }), 0);
  EXPECT_EQ(as(alice, [&] { return opens(folder_ + "/state-tasks"); }), EACCES)
      << "others' tasks are not listed";
  for (const char* name : {"", "/infiniband/uverbs0", "/containers.conf", "/cdi"})
    EXPECT_EQ(as(bob, [&] { return opens(path() + name); }), EACCES) << name;
  EXPECT_TRUE(LiveKernel(folder_ + "/state").verify(MakeTaskFolder{path()}).ok());
  EXPECT_TRUE(remove().ok());
}

TEST_F(FolderOfATask, NobodyWritesToIt) {
  make();
  EXPECT_EQ(as(alice, [&] { return opens(path() + "/new", O_CREAT | O_WRONLY); }), EROFS);
  EXPECT_EQ(as(alice, [&] { return ::chmod(path().c_str(), 0777) == 0 ? 0 : errno; }), EROFS);
  EXPECT_EQ(as(alice, [&] { return ::unlink(device().c_str()) == 0 ? 0 : errno; }), EROFS);
  EXPECT_EQ(as(alice, [&] { return ::link(device().c_str(), (path() + "/n").c_str()) == 0 ? 0 : errno; }),
            EROFS);
  // Not by a mount of his own either, in namespaces that are his.
  EXPECT_EQ(as(alice,
               [&] {
                 if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 255;
                 const int rc = ::mount(nullptr, path().c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr);
                 return rc == 0 ? 0 : errno;
               }),
            EPERM);
  EXPECT_TRUE(remove().ok());
}

TEST_F(FolderOfATask, ShowsInMountNamespacesThatWereThereBefore) {
  // As a user's first container has: made by nobody with privileges, long ago, and nothing that is mounted
  // there shows outside.
  const Child before([&] {
    if (::setgid(alice) != 0 || ::setuid(alice) != 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
      ::_exit(1);
    (void)::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr);
  });
  make();
  const std::string seen = "/proc/" + std::to_string(before.pid()) + "/root" + device();
  EXPECT_EQ(opens(seen, O_RDWR), 0);
  EXPECT_TRUE(remove().ok());
  EXPECT_EQ(opens(seen), ENOENT);
}

// By whatever means he has kept it: a copy that passes nothing on, or the open folder.
TEST_F(FolderOfATask, WhoKeepsItHasNoDeviceMoreAfterTheStep) {
  make();
  const UniqueFd open(::open((path() + "/infiniband").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd node(::open((path() + "/infiniband/uverbs0").c_str(), O_PATH | O_CLOEXEC));
  const Child copy([] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0)
      ::_exit(1);
  });
  const std::string seen = "/proc/" + std::to_string(copy.pid()) + "/root" + path();
  ASSERT_EQ(opens(seen + "/infiniband/uverbs0"), 0);
  EXPECT_TRUE(remove().ok());
  EXPECT_EQ(::openat(open.get(), "uverbs0", O_RDONLY | O_CLOEXEC), -1);
  EXPECT_EQ(opens(seen), ENOENT) << "nor is it mounted there any more";
  EXPECT_EQ(as(alice, [&] { return opens("/proc/self/fd/" + std::to_string(node.get())); }), EACCES)
      << "nor by what was held of the node";
  EXPECT_EQ(opens(path()), ENOENT);
}

TEST_F(FolderOfATask, IsRemovedWhoeverIsInIt) {
  make();
  const Child inside([&] { (void)!::chdir((path() + "/infiniband").c_str()); });
  for (int twice = 0; twice < 2; ++twice) {
    const auto removed = remove();
    EXPECT_TRUE(removed.ok()) << removed.error().message();
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_EQ(LiveKernel(folder_ + "/state").verify(MakeTaskFolder{path()}).error().code, Errc::not_found);
}

TEST_F(FolderOfATask, WhatADeathLeftHalfMadeIsRemoved) {
  LiveKernel kernel(folder_ + "/state");
  EXPECT_TRUE(remove().ok()) << "nothing was made";
  ASSERT_TRUE(kernel.apply(MakeTaskFolder{path()}).ok());
  EXPECT_EQ(kernel.apply(MakeTaskFolder{path()}).error().code, Errc::in_use);
  EXPECT_TRUE(remove().ok()) << "nothing was put into it";
  ASSERT_TRUE(std::filesystem::create_directory(path()));
  EXPECT_TRUE(remove().ok()) << "it was not mounted";
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(FolderOfATask, WhereOthersWouldNotSeeItThereIsNone) {
  ASSERT_EQ(::mount(nullptr, folder_.c_str(), nullptr, MS_PRIVATE, nullptr), 0);
  const auto made = make_task_folder(path());
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, Errc::unsupported);
  EXPECT_THAT(made.error().message(), HasSubstr("'mount --make-shared " + folder_ + "'"));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(FolderOfATask, ADirectoryThatOthersCanWriteToOrALinkIsNotUsed) {
  ASSERT_TRUE(std::filesystem::create_directory(folder_ + "/state-tasks"));
  ASSERT_EQ(::chmod((folder_ + "/state-tasks").c_str(), 0777), 0);
  EXPECT_EQ(make_task_folder(path()).error().code, Errc::bad_config);
  std::filesystem::remove(folder_ + "/state-tasks");
  std::filesystem::create_directory(folder_ + "/elsewhere");
  std::filesystem::create_symlink(folder_ + "/elsewhere", folder_ + "/state-tasks");
  EXPECT_FALSE(make_task_folder(path()).ok());
  EXPECT_FALSE(remove().ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/elsewhere"));
}

TEST_F(FolderOfATask, ManyVariablesThatDoNotFitAreAnErrorAndNoHalf) {
  ASSERT_TRUE(make_task_folder(path()).ok());
  const auto finished =
      finish_task_folder(path(), nodes(), {{"large", std::string(100 * 1024, 'x')}}, {alice, alice});
  EXPECT_EQ(finished.error().sys_errno, ENOSPC);
  EXPECT_EQ(as(alice, [&] { return opens(path()); }), EACCES) << "it is root's yet";
  EXPECT_TRUE(remove().ok());
}

}  // namespace
}  // namespace cib::test
