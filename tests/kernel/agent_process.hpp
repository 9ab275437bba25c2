// The real agent on a real lifeline, with tasks that may say anything.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "adapters/linux/process.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "kernel/scratch.hpp"
#include "support/paths.hpp"

namespace cib::test {

constexpr int patience_ms = 10'000;

class AgentProcess {
 public:
  // Starts it, as the plugin does, and sends the first message. This machine needs no InfiniBand: who gets as
  // far as the placement goes on without.
  AgentProcess(const std::string& folder, unsigned tasks, const std::string& site = "") {
    std::ofstream(folder + "/site.conf") << "[timeouts]\nrendezvous_s = 60\n" << site;
    auto ends = make_channel().value();
    lifeline_ = std::move(ends.first);
    const std::string agent = agent_file();
    pid_ = ::fork();
    if (pid_ == 0) {
      (void)::dup2(ends.second.get(), 3);
      char name[] = "container-ib-agent", mode[] = "step";
      char* const argv[] = {name, mode, nullptr};
      char* const environment[] = {nullptr};
      ::execve(agent.c_str(), argv, environment);
      ::_exit(127);
    }
    wire::Start start;
    start.job = 17;
    start.local_tasks = tasks;
    start.nodes = 1;
    start.stepd_pid = stepd_.pid();
    if (!start.option.set("verbs,require=no") || !start.config.set(folder + "/site.conf") ||
        !start.state_dir.set(folder + "/state"))
      std::abort();
    tell(start);
    wire::Channels channels;
    channels.count = tasks;
    std::vector<UniqueFd> far;
    std::vector<int> numbers;
    for (unsigned task = 0; task < tasks; ++task) {
      auto pair = make_channel().value();
      channels_.push_back(std::move(pair.first));
      far.push_back(std::move(pair.second));
      numbers.push_back(far.back().get());
    }
    tell(channels, numbers);
  }
  ~AgentProcess() {
    if (!status_) end_stepd();
    (void)status();
  }
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;

  pid_t pid() const { return pid_; }
  int channel(unsigned task) const { return channels_[task].get(); }
  int lifeline() const { return lifeline_.get(); }

  template <class M>
  void tell(const M& message, const std::vector<int>& fds = {}) {
    ASSERT_TRUE(send_frame(lifeline_.get(), message, patience_ms, fds).ok());
  }
  void tell_started(unsigned task, pid_t pid, int pidfd) {
    wire::TaskStarted message;
    message.task = task;
    message.pid = pid;
    message.words = 1;
    message.mask[0] = 1;
    tell(message, {pidfd});
  }
  void tell_started(unsigned task, pid_t pid) { tell_started(task, pid, open_pidfd(pid).value().get()); }

  // What the agent says to a task at last: "declined: WHY", "refused: WHY", "granted", or "closed"; or that
  // it asks it first, "asked: NAMES".
  std::string answer(unsigned task) {
    for (;;) {
      const auto frame = receive_frame(channel(task), patience_ms);
      if (!frame) return frame.error().message();
      if (frame->size == 0) return "closed";
      const auto* bytes = frame->bytes.data();
      if (const auto m = wire::read_frame<wire::Decline>(bytes, frame->size))
        return "declined: " + m->text.get();
      if (const auto m = wire::read_frame<wire::Refuse>(bytes, frame->size))
        return "refused: " + m->text.get();
      if (const auto m = wire::read_frame<wire::Ask>(bytes, frame->size)) return "asked: " + m->names.get();
      if (wire::read_frame<wire::Grant>(bytes, frame->size)) return "granted";
    }
  }

  // Its descriptors now, once the first messages are through: 0, 1, 2, lifeline, epoll, slurmstepd, the
  // journal and its folder, and what it holds of tasks.
  std::size_t descriptors() const {
    const auto in = std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(in), end(in)));
  }
  bool holds(std::size_t wanted) const {
    // Several times in a row: files that it reads and closes count for a moment too.
    for (int i = 0, alike = 0; i < 500; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(10))) {
      alike = descriptors() == wanted ? alike + 1 : 0;
      if (alike == 3) return true;
    }
    return false;
  }

  // A line of /proc/PID/status, without its name.
  std::string status_line(const std::string& name) const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
    return "";
  }

  pid_t stepd() const { return stepd_.pid(); }
  void close_lifeline() { lifeline_.reset(); }
  void end_stepd(bool with_lifeline = true) {
    if (with_lifeline) close_lifeline();
    stepd_.end();
  }
  void close_channel(unsigned task) { channels_[task].reset(); }
  // Waits for its end; as waitpid() gives it.
  int status() {
    if (!status_) {
      int status = 0;
      ::waitpid(pid_, &status, 0);
      status_ = status;
    }
    return *status_;
  }

 private:
  Child stepd_{[] {}};  // what the agent takes for slurmstepd
  pid_t pid_ = -1;
  UniqueFd lifeline_;
  std::vector<UniqueFd> channels_;
  std::optional<int> status_;
};

// A task between task_init_privileged and task_init: in a mount namespace of its own.
class Task : public Child {
 public:
  Task() : Child([] { (void)!::unshare(CLONE_NEWNS); }) {}
  UniqueFd namespace_fd(const char* kind = "mnt") const {
    return UniqueFd(::open(("/proc/" + std::to_string(pid()) + "/ns/" + kind).c_str(), O_RDONLY | O_CLOEXEC));
  }
};

}  // namespace cib::test
