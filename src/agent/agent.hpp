// The event loop: frames, deaths and the deadline in; calls of Step out. One thread, every wait in epoll.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/linux/deadline.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "adapters/node/live_node.hpp"
#include "agent/log.hpp"
#include "agent/step_tasks.hpp"
#include "agent/task_conversation.hpp"
#include "app/step.hpp"

namespace cib {

class Agent {
 public:
  explicit Agent(UniqueFd lifeline) : lifeline_(std::move(lifeline)) {}

  // Returns when the step is over and everything was given back, or with the reason why it never began.
  Status run();

  // Its parts. begin() reads what the step is; then turn() waits for events, at most so long (-1: as long as
  // the step lets it), and handles them, until over().
  Status begin();
  Status turn(int at_most_ms);
  bool over() const { return over_; }

 private:
  enum class Source : std::uint32_t { lifeline, stepd, channel, process };

  Status watch(int fd, Source source, unsigned task);
  void unwatch(int fd);
  bool drain_lifeline();
  void on_lifeline(Frame& frame);
  void on_broken_lifeline(const std::string& why);
  void on_stepd_ended();
  void abandon();
  void on_channels(Frame& frame);
  void on_task_started(Frame& frame);
  void drain_channel(unsigned task);
  Status on_task_frame(unsigned task, Frame& frame);
  void on_process(unsigned task);
  void notice_deaths();
  void say_to_stepd(const std::vector<std::string>& lines);
  void wait_for_vfs();
  void look_inside();
  void look_at_ports();
  int wait_ms(int at_most_ms);

  UniqueFd lifeline_, epoll_;
  std::unique_ptr<LiveNode> node_;
  std::unique_ptr<LiveKernel> kernel_;
  std::unique_ptr<StepTasks> tasks_;
  std::unique_ptr<LoggedState> state_;
  std::unique_ptr<Step> step_;
  std::vector<TaskConversation> conversations_;
  std::optional<Deadline> deadline_, vf_deadline_, look_deadline_, ports_deadline_;
  std::size_t looks_ = 0;       // into the tasks' containers
  int ports_pause_ms_ = 1'000;  // before the next look at the ports
  std::size_t unwatched_ = 0;   // of StepTasks::never_closed()
  bool lifeline_broken_ = false, over_ = false;
};

}  // namespace cib
