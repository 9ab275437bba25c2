#include "app/check.hpp"

#include <algorithm>
#include <set>

#include "app/explain.hpp"
#include "app/give_back.hpp"
#include "app/reap.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

using Records = std::vector<Record>;

std::string end_it(const std::string& name) {
  return is_container_attachment(name) ? "'container-ib detach " + name + "'" : "end the step with scancel";
}

struct WhatToDo {
  const std::string& name;

  std::string operator()(const Claim&) const { return "another step may take it too; " + end_it(name); }
  std::string operator()(const SetVf&) const {
    return "'ip link set ... vf' sets it again, or " + end_it(name);
  }
  std::string operator()(const RaiseLink&) const {
    return "'nsenter --net=FILE ip ...' puts an interface right, or " + end_it(name);
  }
  template <class Other>
  std::string operator()(const Other&) const {
    return "the tasks have lost it; " + end_it(name);
  }
};

// The journal has both records of an action in a row, and only the first when the action failed or goes on.
bool was_done(const Records& records, const Record& intent) {
  return std::any_of(records.begin(), records.end(), [&](const Record& record) {
    const auto* action = get_if<Action>(record);
    return record.mark == Mark::done && record.seq == intent.seq + 1 && action != nullptr &&
           action->index() == get_if<Action>(intent)->index();
  });
}

std::vector<TaskNoted> living_tasks(StoredSteps& stored, const Records& records) {
  std::vector<TaskNoted> tasks;
  for (const Record& record : records)
    if (const auto* task = get_if<TaskNoted>(record);
        task != nullptr && stored.is_alive(process_of(records, task->process)))
      tasks.push_back(*task);
  return tasks;
}

// Those that the task has now: mounted, and not taken away again.
std::vector<Port> mounted_ports(const Records& records, unsigned task) {
  std::vector<Port> ports;
  for (const Record& record : records) {
    const auto* mounted = get_if<DevicesMounted>(record);
    if (mounted == nullptr || mounted->task != task || record.mark == Mark::intent) continue;
    ports.clear();
    const std::string names = record.mark == Mark::done ? mounted->ports : "";
    for (const std::string_view name : split(names, ',')) {
      const auto colon = name.rfind(':');
      if (colon == std::string_view::npos) continue;
      Port port;
      port.device = name.substr(0, colon);
      port.number = whole_number<unsigned>(name.substr(colon + 1)).value_or(0);
      ports.push_back(std::move(port));
    }
  }
  return ports;
}

std::vector<std::string> faults_of_processes(StoredSteps& stored, const JournaledStep& step) {
  const Records& records = *step.records;
  std::vector<std::string> faults;
  if (!step.held && !is_container_attachment(step.name))
    faults.push_back("its agent, pid " + opened(records)->agent.pid +
                     ", has died; its tasks go on, and what they have is given back when they end");
  for (const Record& record : records)
    if (const auto* relay = get_if<RelayNoted>(record);
        relay != nullptr && !stored.is_alive(process_of(records, {relay->process})))
      faults.push_back("its relay to the PMIx server, pid " + relay->process.pid +
                       ", has died; end the step with scancel");
  return faults;
}

// Of the containers that the task has started, the first that shows something else than it has.
std::string differs_inside(StoredSteps& stored, const JournaledProcess& task,
                           const std::vector<Port>& ports) {
  std::set<std::string> own;
  for (const Port& port : ports) own.insert(port.device);
  for (const auto& shown : stored.look_inside(task))
    if (auto why = explain_inside(shown, own, own); !why.empty()) return why;
  return {};
}

std::vector<std::string> faults_of_devices(StoredSteps& stored, const JournaledStep& step) {
  const Records& records = *step.records;
  std::vector<std::string> faults;
  for (const TaskNoted& task : living_tasks(stored, records)) {
    const JournaledProcess process = process_of(records, task.process);
    const auto ports = mounted_ports(records, task.task);
    if (ports.empty()) continue;
    const auto status = stored.verify_devices(process, ports);
    if (!status)
      faults.push_back("task " + std::to_string(task.task) + ", pid " + process.pid + ": " +
                       status.error().message() + "; unless its container leaves it out on purpose, " +
                       end_it(step.name));
    // Containers that a container starts itself were promised nothing.
    else if (const auto why =
                 is_container_attachment(step.name) ? "" : differs_inside(stored, process, ports);
             !why.empty())
      faults.push_back("task " + std::to_string(task.task) + ", pid " + process.pid + ": " + why);
    if (!status && status.error().code == Errc::stuck) break;  // the others may be as bad, for seconds each
  }
  return faults;
}

std::vector<std::string> faults_of_actions(Kernel& kernel, const JournaledStep& step) {
  const Records& records = *step.records;
  std::vector<std::string> faults;
  auto actions = in_force(records);
  std::reverse(actions.begin(), actions.end());  // what others rest on first
  for (const Record* record : actions) {
    if (!was_done(records, *record)) continue;
    const Action& action = *get_if<Action>(*record);
    const auto status = kernel.verify(action);
    if (!status)
      faults.push_back(std::string(verb_of(action)) + ": " + status.error().message() + "; " +
                       std::visit(WhatToDo{step.name}, action));
  }
  return faults;
}

bool is_asked_for(const std::string& step, const std::string& which) {
  return which.empty() || step == which || step.starts_with(which + '.');
}

// Whether it is as it was: the same records, and still tasks that use it.
Result<bool> is_unchanged(StoredSteps& stored, const JournaledStep& step) {
  CIB_TRY(const auto steps, stored.steps());
  for (const JournaledStep& now : steps)
    if (now.name == step.name)
      return now.records && now.records->size() == step.records->size() &&
             !living_tasks(stored, *now.records).empty();
  return false;
}

// While a step begins or ends, it is ahead of its journal or behind it. Nobody uses it then.
Status check_running(StoredSteps& stored, Kernel& kernel, const JournaledStep& step, Checked& checked) {
  const Records& records = *step.records;
  bool settled = !living_tasks(stored, records).empty();
  std::vector<std::string> faults;
  if (settled) {
    faults = faults_of_processes(stored, step);
    for (const auto& more : {faults_of_actions(kernel, step), faults_of_devices(stored, step)})
      faults.insert(faults.end(), more.begin(), more.end());
    if (!faults.empty()) {
      CIB_TRY(settled, is_unchanged(stored, step));
    }
  }
  if (!settled) {
    ++checked.changing;
    return {};
  }
  checked.attachments.push_back(step.name);
  for (const std::string& fault : faults) checked.faults.push_back(title_of(step.name) + ": " + fault);
  return {};
}

}  // namespace

Result<Checked> check(StoredSteps& stored, Kernel& kernel, const std::string& which) {
  CIB_TRY(const auto steps, stored.steps());
  CIB_TRY(const std::string boot, stored.boot_id());
  Checked checked;
  bool found = which.empty();
  for (const JournaledStep& step : steps) {
    if (!is_asked_for(step.name, which)) continue;
    found = true;
    switch (state_of(stored, boot, step)) {
      case StepState::running:
        CIB_CHECK(check_running(stored, kernel, step, checked));
        break;
      case StepState::ending:
        ++checked.changing;
        break;
      case StepState::unreadable:
        checked.faults.push_back(title_of(step.name) + ": " + step.records.error().message() +
                                 "; look at its journal and remove the directory by hand");
        break;
      case StepState::of_earlier_boot:
      case StepState::orphaned:
        if (!which.empty())
          checked.faults.push_back(title_of(step.name) +
                                   ": has no living owner; 'container-ib reap' gives back what it left");
        break;
    }
  }
  if (!found) return error(Errc::not_found, "nothing of " + printable(which) + " is attached on this node");
  return checked;
}

}  // namespace cib
