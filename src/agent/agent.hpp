// The event loop: frames, deaths and the deadline in; calls of Step out. One thread, every wait in epoll.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "adapters/linux/deadline.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "adapters/state/state_dir.hpp"
#include "agent/live_node.hpp"
#include "agent/step_tasks.hpp"
#include "app/step.hpp"

namespace cib {

class Agent {
 public:
  explicit Agent(UniqueFd lifeline) : lifeline_(std::move(lifeline)) {}

  // Returns when the step is over and everything was given back, or with the reason why it never began.
  Status run();

 private:
  enum class Source : std::uint32_t { lifeline, channel, process };

  Status begin();
  Status watch(int fd, Source source, unsigned task);
  void drain_lifeline();
  void on_lifeline(const Frame& frame);
  void on_channels(Frame& frame);
  void on_task_started(Frame& frame);
  void drain_channel(unsigned task);
  Status on_task_frame(unsigned task, Frame& frame);
  void on_process(unsigned task);
  void notice_deaths();
  void say_to_stepd(const std::vector<std::string>& lines);
  int wait_ms();

  UniqueFd lifeline_, epoll_;
  std::unique_ptr<LiveNode> node_;
  std::unique_ptr<StepTasks> tasks_;
  std::unique_ptr<StateDir> state_;
  std::unique_ptr<Step> step_;
  std::vector<TaskFacts> facts_;
  std::optional<Deadline> deadline_;
  bool over_ = false;
};

}  // namespace cib
