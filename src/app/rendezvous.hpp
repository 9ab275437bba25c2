// Who of a node's tasks has come, and when to decide for all of them. Pure: knows no node, clock or channel.
//
//     forked --ready--> ready --answered--> answered        and from each of them: --died--> dead
#pragma once

#include <vector>

namespace cib {

class Rendezvous {
 public:
  explicit Rendezvous(unsigned tasks) : progress_(tasks, Progress::forked) {}

  // What to do after something has happened to a task.
  enum class Then { nothing, decide, answer_late };

  // It has neither reported nor died. Only such a one can be ready.
  bool awaits(unsigned task) const { return progress_[task] == Progress::forked; }
  Then task_ready(unsigned task);
  Then task_died(unsigned task);
  // It will not say anything more. Before it was ready: another plugin's failure may keep Slurm from calling
  // ours, and the task runs on without us (spank.c: do_call_stack of 22.05 to 24.11 after a positive number).
  // Nobody shall wait for it.
  Then task_left(unsigned task);
  // The site's rendezvous time has passed since the first task was ready.
  Then deadline_passed() const { return decided_ ? Then::nothing : Then::decide; }

  void decided() { decided_ = true; }
  void answered(unsigned task) { progress_[task] = Progress::answered; }

  bool has_decided() const { return decided_; }
  bool awaits_deadline() const { return first_ready_ && !decided_; }
  bool is_dead(unsigned task) const { return progress_[task] == Progress::dead; }
  bool all_dead() const;
  std::vector<unsigned> ready() const;   // that wait for an answer
  std::vector<unsigned> living() const;  // those, and who has not come yet

 private:
  enum class Progress { forked, ready, answered, dead };
  Then when_complete() const;

  std::vector<Progress> progress_;
  bool first_ready_ = false, decided_ = false;
};

}  // namespace cib
