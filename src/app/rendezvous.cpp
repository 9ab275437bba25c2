#include "app/rendezvous.hpp"

#include <algorithm>

namespace cib {

Rendezvous::Then Rendezvous::task_ready(unsigned task) {
  if (!awaits(task)) return Then::nothing;
  progress_[task] = Progress::ready;
  first_ready_ = true;
  return decided_ ? Then::answer_late : when_complete();
}

Rendezvous::Then Rendezvous::task_died(unsigned task) {
  progress_[task] = Progress::dead;
  return when_complete();
}

Rendezvous::Then Rendezvous::task_left(unsigned task) {
  return awaits(task) ? task_died(task) : Then::nothing;
}

// All masks are known before the first task reports (slurmstepd forks and binds all tasks before it releases
// one into task_init), but their GPUs and NICs only when each has reported.
Rendezvous::Then Rendezvous::when_complete() const {
  if (decided_ || !first_ready_) return Then::nothing;
  const bool complete = std::none_of(progress_.begin(), progress_.end(),
                                     [](Progress progress) { return progress == Progress::forked; });
  return complete ? Then::decide : Then::nothing;
}

bool Rendezvous::all_dead() const {
  return std::all_of(progress_.begin(), progress_.end(),
                     [](Progress progress) { return progress == Progress::dead; });
}

std::vector<unsigned> Rendezvous::ready() const {
  std::vector<unsigned> tasks;
  for (unsigned task = 0; task < progress_.size(); ++task)
    if (progress_[task] == Progress::ready) tasks.push_back(task);
  return tasks;
}

std::vector<unsigned> Rendezvous::living() const {
  std::vector<unsigned> tasks;
  for (unsigned task = 0; task < progress_.size(); ++task)
    if (progress_[task] != Progress::dead) tasks.push_back(task);
  return tasks;
}

}  // namespace cib
