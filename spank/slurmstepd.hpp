// slurmstepd's half: starts the agent, tells it of the tasks, passes its lines on to the user.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"
#include "spank/plugstack_args.hpp"
#include "spank/spank_abi.hpp"

namespace cib {

class SlurmstepdHalf {
 public:
  // In init_post_opt, before Slurm forks the tasks. Null when this step is none of ours: nobody asked and the
  // site has no default, switched off, the extern step, or a batch script or interactive shell that did not
  // ask with batch=yes. An error is kept for the tasks.
  static std::unique_ptr<SlurmstepdHalf> begin(spank_t spank, const PlugstackArgs& args);

  void task_started(
      spank_t spank);  // task_post_fork: the one hook that runs as root and sees the task's CPU mask
  void task_exited(spank_t spank);
  void end();

  // In a task, after the fork: the task's own end; every other descriptor of ours is closed first.
  UniqueFd become_task(unsigned task);

  const std::string& error() const { return error_; }  // why there is no agent; empty when there is one
  bool must_attach() const { return require_; }
  bool network_may_be_private() const { return network_may_be_private_; }
  bool by_default() const { return by_default_; }  // nobody asked but the site
  unsigned node_id() const { return node_id_; }

 private:
  explicit SlurmstepdHalf(PlugstackArgs args) : args_(std::move(args)) {}

  Status start(spank_t spank, const std::string& option);
  Status send_channels(const std::vector<UniqueFd>& agent_ends);
  template <class M>
  Status tell_agent(const M& message, std::span<const int> fds = {});
  void print_answer();

  PlugstackArgs args_;
  UniqueFd lifeline_;
  std::vector<UniqueFd> task_ends_;
  std::string error_;
  bool require_ = true, network_may_be_private_ = true, by_default_ = false;
  bool silent_ = false;  // it was waited for in vain once: not again, or a wait for each task would add up
  bool death_told_ = false;
  std::uint32_t job_ = 0, step_ = 0, node_id_ = 0;
};

}  // namespace cib
