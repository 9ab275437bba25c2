#include "app/step_containers.hpp"

#include <algorithm>
#include <memory>

#include "app/explain.hpp"
#include "container_ib/task_devices.hpp"
#include "container_ib/text.hpp"

namespace cib {

// Another step, of another job too, may be in the same container: what it sees there stays. Who is in it is
// known by the journals, which are written in turns; what is done there, in a user's file systems, keeps
// nobody else's turn waiting.
Result<bool> StepContainers::enter(unsigned task, const std::string& container,
                                   const std::vector<Port>& ports) {
  std::unique_ptr<ClaimsTurn> turn;
  auto found = others_in_.find(container);
  if (found == others_in_.end()) {  // the first task of the step; those after it are no news to anybody
    CIB_TRY(turn, kernel_.claims_turn());
    CIB_TRY(auto others, node_.others_in_container(container, facts_.name()));
    found = others_in_.emplace(container, std::move(others)).first;
  }
  for (const ContainerUse& other : found->second) {
    const auto there = split_list(other.ports);
    for (const Port& port : ports)
      if (std::find(there.begin(), there.end(), port.name()) == there.end())
        return error(Errc::in_use, explain_other_in_container(other, ports));
  }
  CIB_CHECK(journal_.write(Mark::intent, DevicesMounted{task, join_names(ports), container}));
  return found->second.empty();
}

Status StepContainers::mount(unsigned task, const std::string& container, const std::vector<Port>& ports,
                             bool umad) {
  const bool alone = others_in_[container].empty();
  auto status = alone ? tasks_.mount_devices(task, ports, umad) : tasks_.adopt_devices(task, ports, umad);
  if (!status) {
    // It may have been done all the same.
    if (!alone || tasks_.unmount_devices(task).ok()) not_entered(task, container);
    return status;
  }
  tasks_in_[task] = container;
  return journal_.write(Mark::done, DevicesMounted{task, join_names(ports), container});
}

void StepContainers::not_entered(unsigned task, const std::string& container) {
  (void)journal_.write(Mark::undone, DevicesMounted{task, "", container});
}

void StepContainers::unmounted(unsigned task) {
  const auto found = tasks_in_.find(task);
  if (found == tasks_in_.end()) return;
  (void)journal_.write(Mark::undone, DevicesMounted{task, "", found->second});
  tasks_in_.erase(found);
}

std::vector<unsigned> StepContainers::alone(const std::map<unsigned, std::string>& containers) const {
  std::vector<unsigned> tasks;
  std::map<std::string, bool> alone;  // the tasks of a node are in one, mostly
  for (const auto& [task, container] : containers) {
    const auto [found, is_new] = alone.emplace(container, false);
    if (is_new) {
      const auto others = node_.others_in_container(container, facts_.name());
      found->second = others && others->empty();
    }
    if (found->second) tasks.push_back(task);
  }
  return tasks;
}

// A container may live on, as one that its user named does, and the next step in it may be of other ports.
void StepContainers::leave() {
  if (tasks_in_.empty()) return;
  std::vector<unsigned> last;
  {
    const auto turn = kernel_.claims_turn();
    if (!turn) return;
    last = alone(tasks_in_);
    for (const auto& [task, container] : tasks_in_)
      (void)journal_.write(Mark::undone, DevicesMounted{task, "", container});
  }
  tasks_in_.clear();
  // Who comes in by now mounts over it, and then it stays below.
  for (const unsigned task : last) (void)tasks_.unmount_devices(task);
}

}  // namespace cib
