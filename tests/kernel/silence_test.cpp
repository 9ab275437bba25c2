// A user's file system that never answers, where we have to look into it or are sent a file of it: no wait of
// ours may have no end.
#include <gmock/gmock.h>

#include "adapters/linux/devices.hpp"
#include "adapters/linux/file_lock.hpp"
#include "adapters/linux/in_namespace.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/netlink/listening_ports.hpp"
#include "kernel/agent_process.hpp"
#include "kernel/silent_file_system.hpp"

namespace cib::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Silent : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    if (!IsSkipped() && ::access(fuse_device, R_OK | W_OK) != 0)
      GTEST_SKIP() << fuse_device << ": " << std::strerror(errno);
  }
  void TearDown() override {
    end_server();
    Scratch::TearDown();
  }
  // In a mount namespace of ours, which is gone with us (support/own_processes.hpp).
  bool mount(Silence silence) {
    directory_ = folder_ + "/mnt";
    std::filesystem::create_directory(directory_);
    server_ = mount_silent_file_system(directory_, silence);
    return server_ > 0;
  }
  std::string file() const { return directory_ + "/file"; }
  // The server of an `until_continued` has a request that it does not answer yet.
  bool server_waits() const {
    int status = 0;
    return ::waitpid(server_, &status, WUNTRACED | WNOHANG) == server_ && WIFSTOPPED(status);
  }
  void let_server_answer() const { signal_process(server_, SIGCONT); }
  // Then whatever waits for it goes on.
  void end_server() {
    if (server_ <= 0) return;
    signal_process(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
    server_ = -1;
    (void)::umount2(directory_.c_str(), MNT_DETACH);
  }

 private:
  std::string directory_;
  pid_t server_ = -1;
};

bool write_map(const char* file, const char* text) {
  const UniqueFd fd(::open(file, O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text, std::strlen(text)) > 0;
}

// A user's container whose /dev is an overlay over such a file system: of FUSE itself only its own user may
// ask anything, but the overlay asks in the name of who mounted it.
bool become_silent_container(const std::string& folder) {
  const std::string lower = folder + "/lower", empty = folder + "/empty";
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !write_map("/proc/self/setgroups", "deny") ||
      !write_map("/proc/self/uid_map", "0 0 1") || !write_map("/proc/self/gid_map", "0 0 1") ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", folder.c_str(), "tmpfs", 0, nullptr) != 0)
    return false;
  std::filesystem::create_directory(lower);
  std::filesystem::create_directory(empty);
  if (mount_silent_file_system(lower, {.about = FUSE_LOOKUP, .of_name = "infiniband"}) < 0) return false;
  const std::string options = "lowerdir=" + lower + ":" + empty + ",userxattr";
  return ::mount("overlay", "/dev", "overlay", 0, options.c_str()) == 0;
}

class SilentContainer : public Silent {
 protected:
  void SetUp() override {
    Silent::SetUp();
    if (IsSkipped()) return;
    bool made = false;
    int result[2];
    ASSERT_EQ(::pipe2(result, O_CLOEXEC), 0);
    container_.emplace([&] {
      const bool done = become_silent_container(folder_);
      (void)!::write(result[1], &done, sizeof done);
    });
    ASSERT_EQ(::read(result[0], &made, sizeof made), static_cast<ssize_t>(sizeof made));
    for (const int end : result) ::close(end);
    if (!made) GTEST_SKIP() << "this kernel has no overlayfs or FUSE in user namespaces";
  }
  void TearDown() override {
    container_.reset();  // and its server: whoever was left behind ends
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    Silent::TearDown();
  }
  std::string mount_namespace() const { return "/proc/" + std::to_string(container_->pid()) + "/ns/mnt"; }
  std::optional<Child> container_;
};

TEST_F(SilentContainer, LeavesOneProcessBehindThatHoldsNothingOfOurs) {
  const std::string path = folder_ + "/locked";
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(lock(file, path, 0).ok());
  auto [ours, theirs] = make_channel().value();
  const DeviceNode node{.name = "uverbs0", .owner = "mlx5_0"};
  const auto status = verify_device_node(mount_namespace(), node);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Errc::stuck) << status.error().message();
  EXPECT_THAT(status.error().message(), HasSubstr("of ours waits for it and cannot be killed"));

  theirs.reset();
  EXPECT_EQ(receive_frame(ours.get(), 0)->size, 0U) << "its end is still open";
  file.reset();
  EXPECT_TRUE(lock(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path, 0).ok()) << "still locked";
}

class SilentFile : public Silent {
 protected:
  void SetUp() override {
    Silent::SetUp();
    if (!IsSkipped() && !mount({.about = FUSE_FLUSH})) GTEST_SKIP() << "cannot mount FUSE here";
  }
  // Once every other process has been forked: it would have a copy to close.
  bool open_it() {
    silent_ = UniqueFd(::open(file().c_str(), O_RDONLY | O_CLOEXEC));
    return silent_.valid();
  }
  UniqueFd silent_;  // closed when its server has ended
};

// Whoever closes the descriptor waits for ever; so the agent must not have it.
TEST_F(SilentFile, SentToTheAgentStopsNothing) {
  Task task[2];
  AgentProcess agent(folder_, 2);
  for (unsigned i = 0; i < 2; ++i) agent.tell_started(i, task[i].pid());
  ASSERT_TRUE(open_it()) << std::strerror(errno);
  ASSERT_TRUE(send_frame(agent.channel(0), wire::Ready{}, patience_ms, std::array{silent_.get()}).ok());
  EXPECT_EQ(agent.answer(0), "refused: a descriptor that nobody asked for");
  EXPECT_EQ(agent.answer(0), "closed");

  const UniqueFd ns = task[1].namespace_fd();
  ASSERT_TRUE(send_frame(agent.channel(1), wire::Namespaces{}, patience_ms, std::array{ns.get()}).ok());
  ASSERT_TRUE(send_frame(agent.channel(1), wire::Ready{}, patience_ms).ok());
  // Behind its last word, when nobody reads it any more.
  (void)send_frame(agent.channel(1), wire::Ready{}, patience_ms, std::array{silent_.get()});
  EXPECT_THAT(agent.answer(1), testing::AnyOf(StartsWith("declined: "), StartsWith("refused: a descriptor")));
  agent.tell(wire::Finish{});
  EXPECT_EQ(agent.status(), 0);
  end_server();
}

TEST_F(SilentFile, SentAsAMountNamespaceIsNotClosedBeforeTheEnd) {
  Task task;
  AgentProcess agent(folder_, 1);
  agent.tell_started(0, task.pid());
  ASSERT_TRUE(open_it()) << std::strerror(errno);
  ASSERT_TRUE(send_frame(agent.channel(0), wire::Namespaces{}, patience_ms, std::array{silent_.get()}).ok());
  EXPECT_THAT(agent.answer(0), HasSubstr("is no mnt namespace"));
  agent.tell(wire::Finish{});
  const auto end = receive_frame(agent.lifeline(), patience_ms);
  ASSERT_TRUE(end.ok()) << end.error().message();
  EXPECT_TRUE(wire::read_frame<wire::End>(end->bytes.data(), end->size).ok());
  end_server();
  EXPECT_EQ(agent.status(), 0);
}

TEST_F(Silent, AFileThatSlurmstepdHasOpenIsNotAskedForItsKind) {
  if (!mount({.about = FUSE_GETATTR, .seconds_to_keep = 0})) GTEST_SKIP() << "cannot mount FUSE here";
  const std::string name = file();
  Child stepd([&] {
    if (::open(name.c_str(), O_RDONLY) < 0) ::_exit(1);
  });
  const auto endpoints = listening_endpoints(open_pidfd(stepd.pid()).value().get());
  EXPECT_TRUE(endpoints.ok()) << endpoints.error().message();
  end_server();
}

// What a helper does in a namespace: looks at a file, and then goes on.
struct Look {
  const char* file;
  int before, after;  // pipes
};

int look_and_go_on(void* arg) {
  const auto* look = static_cast<Look*>(arg);
  const pid_t helper = ::getpid();
  (void)!::write(look->before, &helper, sizeof helper);
  struct stat status {};
  (void)::stat(look->file, &status);
  (void)!::write(look->after, "x", 1);
  return 0;
}

// A helper that was left behind, and the pipe that it would write to next.
class LeftBehind : public Silent {
 protected:
  void SetUp() override {
    Silent::SetUp();
    if (IsSkipped()) return;
    if (!mount({.about = FUSE_LOOKUP, .of_name = "file", .until_continued = true}))
      GTEST_SKIP() << "cannot mount FUSE here";
    int before[2], after[2];
    ASSERT_EQ(::pipe2(before, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(after, O_CLOEXEC), 0);
    const UniqueFd told(before[0]), tell(before[1]), go_on(after[1]);
    after_ = UniqueFd(after[0]);
    const UniqueFd ns(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    const std::string name = file();
    Look look{.file = name.c_str(), .before = tell.get(), .after = go_on.get()};
    const auto status =
        in_mount_namespace(ns.get(), look_and_go_on, &look, {tell.get(), go_on.get()}, "look", 1'000);
    ASSERT_FALSE(status.ok());
    ASSERT_EQ(status.error().code, Errc::stuck) << status.error().message();
    ASSERT_EQ(::read(told.get(), &helper_, sizeof helper_), static_cast<ssize_t>(sizeof helper_));
    EXPECT_THAT(status.error().message(), HasSubstr("process " + std::to_string(helper_) + " of ours"));
    ASSERT_TRUE(server_waits());
    ASSERT_EQ(::waitpid(helper_, nullptr, WNOHANG), 0) << "it waits no more";
  }
  // Once the file system has let it go.
  void expect_nothing_more_was_done() {
    const auto pidfd = open_pidfd(helper_);
    ASSERT_TRUE(pidfd.ok()) << pidfd.error().message();
    pollfd end{.fd = pidfd->get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&end, 1, patience_ms), 1) << "it still waits";
    int status = 0;
    ASSERT_EQ(::waitpid(helper_, &status, 0), helper_);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    char byte = 0;
    EXPECT_EQ(::read(after_.get(), &byte, 1), 0) << "it went on";
  }

 private:
  UniqueFd after_;
  pid_t helper_ = -1;
};

TEST_F(LeftBehind, MakesNoFurtherCallOnceTheFileSystemAnswers) {
  let_server_answer();
  expect_nothing_more_was_done();
  EXPECT_EQ(::access(file().c_str(), F_OK), 0) << "that was no answer: " << std::strerror(errno);
}

TEST_F(LeftBehind, MakesNoFurtherCallOnceTheFileSystemIsGone) {
  end_server();
  expect_nothing_more_was_done();
}

}  // namespace
}  // namespace cib::test
