#include "adapters/state/steps_of_processes.hpp"

#include "adapters/linux/cgroup.hpp"
#include "adapters/linux/find_process.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/state/state_dir.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr int most_ancestors = 256;  // a tree that grows while it is climbed ends somewhere

}  // namespace

Result<StepsOfProcesses> StepsOfProcesses::read(const std::string& state_dir) {
  CIB_TRY(const auto stored, stored_steps(state_dir));
  const std::string here = pid_namespace_here();
  StepsOfProcesses steps;
  for (const JournaledStep& step : stored) {
    const Opened* open = step.records ? opened(*step.records) : nullptr;
    if (open == nullptr) continue;
    // In another PID namespace the same number is somebody else.
    const bool numbers_hold = open->pid_namespace.empty() || open->pid_namespace == here;
    if (numbers_hold) steps.processes_[{open->stepd.pid, open->stepd.start}] = step.name;
    for (const Record& record : *step.records) {
      const auto* task = get_if<TaskNoted>(record);
      if (task == nullptr) continue;
      if (numbers_hold) steps.processes_[{task->process.pid, task->process.start}] = step.name;
      if (const auto inode = whole_number<std::uint64_t>(task->process.cgroup_inode))
        steps.cgroups_[*inode] = step.name;
    }
  }
  return steps;
}

std::string StepsOfProcesses::step_of(pid_t pid) const {
  const auto cgroup = step_cgroup_of(pid);
  if (cgroup)
    if (const auto found = cgroups_.find(cgroup->inode); found != cgroups_.end()) return found->second;
  pid_t ancestor = pid;
  for (int i = 0; i < most_ancestors && ancestor > 0; ++i) {
    const ProcessIdentity identity = identity_of(ancestor);
    if (identity.start.empty()) break;
    if (const auto found = processes_.find({identity.pid, identity.start}); found != processes_.end())
      return found->second;
    ancestor = parent_process(ancestor).value_or(0);
  }
  return cgroup ? step_name_of_cgroup(cgroup->path) : "";
}

}  // namespace cib
