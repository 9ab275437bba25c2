// The agent as tasks and slurmstepd may find it that do not keep to the protocol: it ends that conversation,
// keeps nothing of it, and goes on with the others.
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "adapters/state/claims.hpp"
#include "adapters/state/state_dir.hpp"
#include "container_ib/environment.hpp"
#include "kernel/agent_process.hpp"

namespace cib::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class AgentOnTrial : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    if (IsSkipped()) return;
    agent_.emplace(folder_, 2U);
    for (unsigned i = 0; i < 2; ++i) agent_->tell_started(i, task_[i].pid());
    settled_ = first_descriptors + 2 * (channel + pidfd);
    ASSERT_TRUE(agent_->holds(settled_)) << agent_->descriptors();
  }
  void TearDown() override {
    agent_.reset();
    Scratch::TearDown();
  }

  template <class M>
  Status say(unsigned task, const M& message, std::vector<int> fds = {}) {
    return send_frame(agent_->channel(task), message, patience_ms, fds);
  }
  void behave(unsigned task) {
    const UniqueFd ns = task_[task].namespace_fd();
    ASSERT_TRUE(say(task, wire::Namespaces{}, {ns.get()}).ok());
    ASSERT_TRUE(say(task, wire::Ready{}).ok());
  }
  // Task 0 is refused, its channel closed and nothing that it sent kept, but for `kept` descriptors: what was
  // rightly its own, and what nobody can close without waiting for whoever serves it. Task 1 is served as
  // ever.
  void expect_refused(const std::string& why, std::size_t kept = 0) {
    EXPECT_THAT(agent_->answer(0), AllOf(StartsWith("refused: "), HasSubstr(why)));
    EXPECT_EQ(agent_->answer(0), "closed");
    EXPECT_TRUE(agent_->holds(settled_ - channel + kept)) << agent_->descriptors() << " of " << settled_;
    behave(1);
    EXPECT_THAT(agent_->answer(1), StartsWith("declined: "));
  }

  static constexpr std::size_t first_descriptors = 8, channel = 1, pidfd = 1;
  Task task_[2];
  std::optional<AgentProcess> agent_;
  std::size_t settled_ = 0;
};

TEST_F(AgentOnTrial, ATaskThatBehavesIsAnsweredAndItsChannelClosed) {
  behave(0);
  behave(1);
  for (unsigned task = 0; task < 2; ++task) {
    EXPECT_THAT(agent_->answer(task), StartsWith("declined: "));
    EXPECT_EQ(agent_->answer(task), "closed") << "a child that has the other end could go on talking";
  }
}

TEST_F(AgentOnTrial, ItIsConfined) {
  std::ifstream environment("/proc/" + std::to_string(agent_->pid()) + "/environ");
  EXPECT_EQ(environment.peek(), std::ifstream::traits_type::eof());
  EXPECT_EQ(agent_->status_line("NoNewPrivs"), "1");
  EXPECT_EQ(agent_->status_line("Seccomp"), "2") << "no system call filter";
  // linux/capability.h: bits 0 CHOWN, 1 DAC_OVERRIDE, 3 FOWNER, 5 KILL, 6 SETGID, 7 SETUID,
  // 12 NET_ADMIN, 18 SYS_CHROOT, 19 SYS_PTRACE, 21 SYS_ADMIN, 24 SYS_RESOURCE, 27 MKNOD.
  constexpr unsigned long long needed = 0x92c10eb;
  for (const char* set : {"CapEff", "CapPrm", "CapBnd"})
    EXPECT_EQ(std::stoull(agent_->status_line(set), nullptr, 16) & ~needed, 0U) << set;
  EXPECT_EQ(std::stoull(agent_->status_line("CapInh"), nullptr, 16), 0U);
}

TEST_F(AgentOnTrial, ARegularFileIsNoNamespace) {
  const UniqueFd file(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(say(0, wire::Namespaces{}, {file.get()}).ok());
  expect_refused("/etc/passwd is no mnt namespace", 1);
}

TEST_F(AgentOnTrial, AFileWithTheNameOfANamespaceIsNone) {
  const std::string name = folder_ + "/mnt:[4026531841]";
  const UniqueFd file(::open(name.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(say(0, wire::Namespaces{}, {file.get()}).ok());
  expect_refused("is no mnt namespace", 1);
}

TEST_F(AgentOnTrial, ASocketIsNoNamespaceNotEvenItsOwnChannel) {
  ASSERT_TRUE(say(0, wire::Namespaces{}, {agent_->channel(0)}).ok());
  expect_refused("is no mnt namespace", 1);
}

TEST_F(AgentOnTrial, ANetworkNamespaceIsNoMountNamespace) {
  const UniqueFd ns = task_[0].namespace_fd("net");
  ASSERT_TRUE(say(0, wire::Namespaces{}, {ns.get()}).ok());
  expect_refused("is no mnt namespace", 1);
}

TEST_F(AgentOnTrial, TheHostsNamespaceIsDenied) {
  const UniqueFd ns(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(say(0, wire::Namespaces{}, {ns.get()}).ok());
  expect_refused("the offered mount namespace is the host's");
}

TEST_F(AgentOnTrial, TheNamespaceOfADeadTaskIsDenied) {
  UniqueFd ns;
  {
    const Task dead;
    ns = dead.namespace_fd();
  }
  ASSERT_TRUE(say(0, wire::Namespaces{}, {ns.get()}).ok());
  ASSERT_TRUE(say(0, wire::Ready{}).ok());
  EXPECT_EQ(agent_->answer(0),
            "refused: it is neither in the mount namespace that it offered nor in a user's container");
}

TEST_F(AgentOnTrial, TheNamespaceOfAnotherTaskIsDenied) {
  const UniqueFd ns = task_[1].namespace_fd();
  ASSERT_TRUE(say(0, wire::Namespaces{}, {ns.get()}).ok());
  ASSERT_TRUE(say(0, wire::Ready{}).ok());
  EXPECT_EQ(agent_->answer(0),
            "refused: it is neither in the mount namespace that it offered nor in a user's container");
}

TEST_F(AgentOnTrial, ASecondNamespaceEndsTheConversation) {
  const UniqueFd ns = task_[0].namespace_fd();
  ASSERT_TRUE(say(0, wire::Namespaces{}, {ns.get()}).ok());
  ASSERT_TRUE(say(0, wire::Namespaces{}, {ns.get()}).ok());
  EXPECT_EQ(agent_->answer(0), "refused: a descriptor that nobody asked for");
}

TEST_F(AgentOnTrial, ASecondNamespaceInNameOnlyEndsTheConversation) {
  const UniqueFd ns = task_[0].namespace_fd();
  ASSERT_TRUE(say(0, wire::Namespaces{}, {ns.get()}).ok());
  ASSERT_TRUE(say(0, wire::Namespaces{}).ok());
  EXPECT_EQ(agent_->answer(0), "refused: not one descriptor for its mount namespace");
}

TEST_F(AgentOnTrial, ADescriptorTooManyIsNotKept) {
  const UniqueFd ns = task_[0].namespace_fd();
  ASSERT_TRUE(say(0, wire::Namespaces{}, {ns.get(), ns.get()}).ok());
  expect_refused("more descriptors than there is room for");
}

// The frame stays unread, and so does the channel.
TEST_F(AgentOnTrial, ADescriptorWithAVariableIsNotReceived) {
  wire::UserVariable variable;
  ASSERT_TRUE(variable.name.set(environment_inputs().front()));
  ASSERT_TRUE(say(0, variable, std::vector<int>(64, 0)).ok());
  expect_refused("a descriptor that nobody asked for", channel);
}

// 253 is SCM_MAX_FD; the agent has room for one, and the kernel cuts the others off.
TEST_F(AgentOnTrial, DescriptorsThatDoNotFitAreNotKept) {
  const std::vector<int> fds(253, 0);
  const wire::Namespaces message;
  iovec data{.iov_base = const_cast<wire::Namespaces*>(&message), .iov_len = sizeof message};
  std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  ASSERT_EQ(::sendmsg(agent_->channel(0), &header, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof message));
  expect_refused("more descriptors than there is room for");
}

TEST_F(AgentOnTrial, AMessageOfAnotherSizeOrKindEndsTheConversation) {
  ASSERT_TRUE(send_bytes(agent_->channel(0), "x", 1, {}, patience_ms).ok());
  expect_refused("shorter than its header");
}

TEST_F(AgentOnTrial, WhatOnlySlurmstepdMaySayEndsTheConversation) {
  ASSERT_TRUE(say(0, wire::Finish{}).ok());
  expect_refused("a message that tasks do not send");
}

TEST_F(AgentOnTrial, AMessageAfterReadyEndsTheConversation) {
  behave(0);
  ASSERT_TRUE(say(0, wire::Ready{}).ok());
  expect_refused("a message after it was ready", 1);  // its mount namespace
}

// With as much as the protocol allows, and then one more: who sends without end is stopped by that one.
TEST_F(AgentOnTrial, AFloodEndsAtTheFirstRepetition) {
  const auto memory = std::stoul(agent_->status_line("VmHWM"));
  Status status;
  std::size_t sent = 0;
  const auto& names = environment_inputs();
  for (; status.ok() && sent < 1'000'000; ++sent) {
    wire::UserVariable variable;
    ASSERT_TRUE(variable.name.set(names[sent % names.size()]));
    variable.value.bytes.fill('x');
    status = say(0, variable);
  }
  EXPECT_EQ(status.error().code, Errc::peer_gone) << "the channel is still open after " << sent;
  EXPECT_LT(sent, 1'000U);
  EXPECT_LT(std::stoul(agent_->status_line("VmHWM")), memory + 16U * 1024) << "KiB";
  expect_refused("a second time");
}

TEST_F(AgentOnTrial, AChannelThatOutlivesItsTaskIsClosed) {
  task_[0].end();  // this process still has the task's end, as its child could
  EXPECT_EQ(agent_->answer(0), "closed");
  behave(1);
  EXPECT_THAT(agent_->answer(1), StartsWith("declined: "));
}

TEST_F(AgentOnTrial, NonsenseOnTheLifelineChangesNothing) {
  wire::Channels beyond;
  beyond.first = 0xffffffffU;
  beyond.count = 1;
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  agent_->tell(beyond, {null.get()});
  agent_->tell(wire::Channels{.first = 2, .count = 1}, {null.get()});
  agent_->tell(wire::Channels{}, {null.get(), null.get()});
  agent_->tell(wire::Ready{});
  ASSERT_TRUE(send_bytes(agent_->lifeline(), "x", 1, {}, patience_ms).ok());
  agent_->tell_started(7, ::getpid(), null.get());
  agent_->tell_started(0, ::getpid(), null.get());  // told already
  EXPECT_TRUE(agent_->holds(settled_));
  for (unsigned i = 0; i < 2; ++i) behave(i);
  for (unsigned i = 0; i < 2; ++i) EXPECT_THAT(agent_->answer(i), StartsWith("declined: "));
  agent_->tell(wire::Finish{});
  EXPECT_EQ(agent_->status(), 0);
}

TEST_F(AgentOnTrial, ABrokenLifelineEndsNothingWhileSlurmstepdLives) {
  agent_->close_lifeline();
  for (unsigned i = 0; i < 2; ++i) behave(i);
  for (unsigned i = 0; i < 2; ++i) EXPECT_THAT(agent_->answer(i), StartsWith("declined: "));
  for (const Task& task : task_) EXPECT_FALSE(has_ended(open_pidfd(task.pid()).value().get()));
  agent_->end_stepd();
  EXPECT_EQ(agent_->status(), 0);
  for (const Task& task : task_) EXPECT_TRUE(has_ended(open_pidfd(task.pid()).value().get()));
}

TEST_F(AgentOnTrial, ALifelineThatOutlivesSlurmstepdKeepsNothing) {
  agent_->end_stepd(false);  // a child of it has the other end, for example
  EXPECT_EQ(agent_->status(), 0);
  for (const Task& task : task_) EXPECT_TRUE(has_ended(open_pidfd(task.pid()).value().get()));
}

// The site's file has variables whose names no plugin knows: each task is asked once which of them it has.
class AgentThatAsks : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    if (IsSkipped()) return;
    agent_.emplace(folder_, 1U, "[[environment]]\nset = { NCCL_IB_TC = 41, NCCL_IB_SL = 1 }\n");
    agent_->tell_started(0, task_.pid());
    const UniqueFd ns = task_.namespace_fd();
    ASSERT_TRUE(send_frame(agent_->channel(0), wire::Namespaces{}, patience_ms, std::array{ns.get()}).ok());
    say(wire::Ready{});
    ASSERT_EQ(agent_->answer(0), "asked: NCCL_IB_SL,NCCL_IB_TC");
  }
  void TearDown() override {
    agent_.reset();
    Scratch::TearDown();
  }
  template <class M>
  void say(const M& message) {
    ASSERT_TRUE(send_frame(agent_->channel(0), message, patience_ms).ok());
  }
  void say_variable(const std::string& name) {
    wire::UserVariable variable;
    ASSERT_TRUE(variable.name.set(name) && variable.value.set("7"));
    say(variable);
  }
  Task task_;
  std::optional<AgentProcess> agent_;
};

TEST_F(AgentThatAsks, GoesOnWhenItIsAnswered) {
  say_variable("NCCL_IB_SL");
  say(wire::Ready{});
  EXPECT_THAT(agent_->answer(0), StartsWith("declined: "));
  EXPECT_EQ(agent_->answer(0), "closed");
}

TEST_F(AgentThatAsks, HearsNothingElse) {
  say_variable("NCCL_IB_HCAS");
  EXPECT_EQ(agent_->answer(0), "refused: an unknown variable");
}

TEST_F(AgentThatAsks, HearsEachOnce) {
  say_variable("NCCL_IB_TC");
  say_variable("NCCL_IB_TC");
  EXPECT_EQ(agent_->answer(0), "refused: NCCL_IB_TC a second time");
}

TEST_F(AgentThatAsks, TakesNoSecondNamespace) {
  say(wire::Namespaces{});
  EXPECT_THAT(agent_->answer(0), StartsWith("refused: "));
}

TEST_F(Scratch, WithoutRoomForADescriptorTheAgentGoesOn) {
  Task task[2];
  AgentProcess agent(folder_, 2);
  agent.tell_started(0, task[0].pid());
  ASSERT_TRUE(agent.holds(11));
  rlimit files{};
  ASSERT_EQ(::prlimit(agent.pid(), RLIMIT_NOFILE, nullptr, &files), 0);
  const rlimit full{.rlim_cur = 11, .rlim_max = files.rlim_max};
  ASSERT_EQ(::prlimit(agent.pid(), RLIMIT_NOFILE, &full, nullptr), 0);
  agent.tell_started(1, task[1].pid());
  agent.close_channel(1);
  ASSERT_TRUE(agent.holds(10)) << "it has not noticed";  // which is after it was told of task 1
  ASSERT_EQ(::prlimit(agent.pid(), RLIMIT_NOFILE, &files, nullptr), 0);
  for (const Task& one : task) EXPECT_FALSE(has_ended(open_pidfd(one.pid()).value().get()));
  const UniqueFd ns = task[0].namespace_fd();
  ASSERT_TRUE(send_frame(agent.channel(0), wire::Namespaces{}, patience_ms, std::array{ns.get()}).ok());
  ASSERT_TRUE(send_frame(agent.channel(0), wire::Ready{}, patience_ms).ok());
  EXPECT_THAT(agent.answer(0), StartsWith("declined: "));
}

TEST_F(Scratch, ARequeuedStepFirstGivesBackWhatTheEarlierOneLeft) {
  const std::string state = folder_ + "/state", owner = "17.0@2";
  Claims claims(state);
  Opened open;
  open.boot = boot_id().value();
  const Record claim{2, Mark::intent, Claim{"address-1", owner}};
  {
    StateDir earlier(state);  // of an agent that has ended
    ASSERT_TRUE(earlier.create("17.0", {1, Mark::done, open}).ok() && earlier.append(claim).ok());
  }
  ASSERT_TRUE(claims.take("address-1", owner).ok());
  Task task;
  AgentProcess agent(folder_, 1);
  agent.tell_started(0, task.pid());
  const UniqueFd ns = task.namespace_fd();
  ASSERT_TRUE(send_frame(agent.channel(0), wire::Namespaces{}, patience_ms, std::array{ns.get()}).ok());
  ASSERT_TRUE(send_frame(agent.channel(0), wire::Ready{}, patience_ms).ok());
  EXPECT_THAT(agent.answer(0), StartsWith("declined: "));
  EXPECT_THAT(*claims.all(), testing::IsEmpty());
}

// Whom the agent kills when slurmstepd dies is decided by the pidfd and not by a number.
TEST_F(Scratch, AStrangerIsNeverTakenForATask) {
  const Child stranger([] {});
  Task task;
  {
    AgentProcess agent(folder_, 2);
    agent.tell_started(0, stranger.pid(), open_pidfd(task.pid()).value().get());
    agent.tell_started(1, task.pid());
    agent.end_stepd();
    EXPECT_EQ(agent.status(), 0);
  }
  EXPECT_TRUE(has_ended(open_pidfd(task.pid()).value().get())) << "its slurmstepd is dead";
  EXPECT_FALSE(has_ended(open_pidfd(stranger.pid()).value().get()));
}

}  // namespace
}  // namespace cib::test
