#include "app/check.hpp"

#include <algorithm>
#include <array>

#include "app/give_back.hpp"
#include "app/reap.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

using Records = std::vector<Record>;

struct Advice {
  std::string_view verb, what;
};

constexpr std::array advice = {
    Advice{"claim", "another step may take it too; end this one with scancel"},
    Advice{"vf_settings", "'ip link set ... vf' sets it again, or end the step with scancel"},
    Advice{"link_up", "'nsenter --net=FILE ip ...' puts an interface right, or end the step with scancel"},
};

std::string_view what_to_do(const std::string& verb) {
  for (const Advice& one : advice)
    if (one.verb == verb) return one.what;
  return "the tasks have lost it; end the step with scancel";
}

// The journal has both records of an action in a row, and only the first when the action failed or goes on.
bool was_done(const Records& records, const Record& intent) {
  return std::any_of(records.begin(), records.end(), [&](const Record& record) {
    return record.mark == Mark::done && record.seq == intent.seq + 1 && record.verb == intent.verb;
  });
}

std::vector<Record> living_tasks(Remains& remains, const Records& records) {
  std::vector<Record> tasks;
  for (const Record& record : records)
    if (record.verb == "task" && remains.is_alive(process_of(records, record, "task")))
      tasks.push_back(record);
  return tasks;
}

// Those that the task has now: mounted, and not taken away again.
std::vector<Port> mounted_ports(const Records& records, const std::string& task) {
  std::vector<Port> ports;
  for (const Record& record : records) {
    if (record.verb != "mount_devices" || record.field("task") != task || record.mark == Mark::intent)
      continue;
    ports.clear();
    const std::string names = record.mark == Mark::done ? record.field("ports") : "";
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

std::vector<std::string> faults_of_processes(Remains& remains, const JournaledStep& step) {
  const Records& records = *step.records;
  std::vector<std::string> faults;
  if (!step.held)
    faults.push_back("its agent, pid " + records.front().field("agent_pid") +
                     ", has died; its tasks go on, and what they have is given back when they end");
  for (const Record& record : records) {
    const JournaledProcess relay = process_of(records, record, "relay");
    if (record.verb == "relay" && !remains.is_alive(relay))
      faults.push_back("its relay to the PMIx server, pid " + relay.pid +
                       ", has died; end the step with scancel");
  }
  return faults;
}

std::vector<std::string> faults_of_devices(Remains& remains, const Records& records) {
  std::vector<std::string> faults;
  for (const Record& task : living_tasks(remains, records)) {
    const JournaledProcess process = process_of(records, task, "task");
    const auto ports = mounted_ports(records, task.field("task"));
    if (ports.empty()) continue;
    const auto status = remains.verify_devices(process, ports);
    if (!status)
      faults.push_back("task " + task.field("task") + ", pid " + process.pid + ": " +
                       status.error().message() +
                       "; unless its container leaves it out on purpose, end the step with scancel");
    if (!status && status.error().code == Errc::stuck) break;  // the others may be as bad, for seconds each
  }
  return faults;
}

std::vector<std::string> faults_of_actions(Kernel& kernel, const Records& records) {
  std::vector<std::string> faults;
  auto actions = in_force(records);
  std::reverse(actions.begin(), actions.end());  // what others rest on first
  for (const Record* record : actions) {
    if (!was_done(records, *record)) continue;
    const auto status = kernel.verify({record->verb, record->fields});
    if (!status)
      faults.push_back(record->verb + ": " + status.error().message() + "; " +
                       std::string(what_to_do(record->verb)));
  }
  return faults;
}

bool is_asked_for(const std::string& step, const std::string& which) {
  return which.empty() || step == which || step.starts_with(which + '.');
}

// Whether it is as it was: the same records, and still tasks that use it.
Result<bool> is_unchanged(Remains& remains, const JournaledStep& step) {
  CIB_TRY(const auto steps, remains.steps());
  for (const JournaledStep& now : steps)
    if (now.name == step.name)
      return now.records && now.records->size() == step.records->size() &&
             !living_tasks(remains, *now.records).empty();
  return false;
}

// While a step begins or ends, it is ahead of its journal or behind it. Nobody uses it then.
Status check_running(Remains& remains, Kernel& kernel, const JournaledStep& step, Checked& checked) {
  const Records& records = *step.records;
  bool settled = !living_tasks(remains, records).empty();
  std::vector<std::string> faults;
  if (settled) {
    faults = faults_of_processes(remains, step);
    for (const auto& more : {faults_of_actions(kernel, records), faults_of_devices(remains, records)})
      faults.insert(faults.end(), more.begin(), more.end());
    if (!faults.empty()) {
      CIB_TRY(settled, is_unchanged(remains, step));
    }
  }
  if (!settled) {
    ++checked.changing;
    return {};
  }
  checked.attachments.push_back(step.name);
  for (const std::string& fault : faults) checked.faults.push_back("step " + step.name + ": " + fault);
  return {};
}

}  // namespace

Result<Checked> check(Remains& remains, Kernel& kernel, const std::string& which) {
  CIB_TRY(const auto steps, remains.steps());
  CIB_TRY(const std::string boot, remains.boot_id());
  Checked checked;
  bool found = which.empty();
  for (const JournaledStep& step : steps) {
    if (!is_asked_for(step.name, which)) continue;
    found = true;
    switch (state_of(remains, boot, step)) {
      case StepState::running:
        CIB_CHECK(check_running(remains, kernel, step, checked));
        break;
      case StepState::ending:
        ++checked.changing;
        break;
      case StepState::unreadable:
        checked.faults.push_back("step " + step.name + ": " + step.records.error().message() +
                                 "; look at its journal and remove the directory by hand");
        break;
      case StepState::of_earlier_boot:
      case StepState::orphaned:
        if (!which.empty())
          checked.faults.push_back("step " + step.name +
                                   ": has no living owner; 'container-ib reap' gives back what it left");
        break;
    }
  }
  if (!found) return error(Errc::not_found, "nothing of " + printable(which) + " is attached on this node");
  return checked;
}

}  // namespace cib
