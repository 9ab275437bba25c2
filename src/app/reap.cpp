#include "app/reap.hpp"

#include "app/give_back.hpp"
#include "app/leave_container.hpp"

namespace cib {

JournaledProcess process_of(const std::vector<Record>& journal, const TaskProcess& process) {
  const Opened* open = opened(journal);
  return {process, open == nullptr ? std::string() : open->pid_namespace};
}

std::string last_of(const std::vector<Record>& journal) {
  const Record& last = journal.back();
  return (last.mark == Mark::intent ? "during " : "after ") + describe(last.event) + " (record " +
         std::to_string(last.seq) + ')';
}

namespace {

std::vector<JournaledProcess> tasks_of(const std::vector<Record>& records) {
  std::vector<JournaledProcess> tasks;
  for (const Record& record : records)
    if (const auto* task = get_if<TaskNoted>(record)) tasks.push_back(process_of(records, task->process));
  return tasks;
}

// What a maintainer asks first. An agent that ends gives back itself, so the owner of an orphan was killed.
void tell_death(const JournaledStep& step, const std::string& kept, Reaped& reaped) {
  if (step.records->empty()) return;
  const std::string who = is_container_attachment(step.name) ? "'container-ib attach'" : "its agent";
  reaped.deaths.push_back(title_of(step.name) + ": " + who + " died " + last_of(*step.records) +
                          (kept.empty() ? "" : "; its journal is kept in " + kept));
}

void tell_failures(const JournaledStep& step, const std::vector<std::string>& failed, Reaped& reaped) {
  for (const std::string& what : failed)
    reaped.findings.push_back(title_of(step.name) + ": could not give back " + what +
                              "; it stays out of use, and the next 'container-ib reap' tries again");
}

// A container is its engine's: nothing in it is ever killed. One whose process has ended as it should is no
// death that anybody looks into.
void reap_container(StoredSteps& stored, Kernel& kernel, const JournaledStep& step, Reaped& reaped) {
  const bool was_whole = step.records->empty() || is_whole_attachment(*step.records);
  const auto failed = give_container_back(stored, kernel, step);
  tell_failures(step, failed, reaped);
  if (!failed.empty()) return;
  std::string kept;
  if (was_whole) {
    if (const auto status = stored.forget(step.name); !status)
      return reaped.findings.push_back(title_of(step.name) + ": " + status.error().message());
  } else if (auto buried = stored.bury(step.name)) {
    kept = std::move(*buried);
  } else {
    return reaped.findings.push_back(title_of(step.name) + ": " + buried.error().message());
  }
  reaped.given_back.push_back(step.name);
  if (!was_whole) tell_death(step, kept, reaped);
}

// The survivors first: while one lives it may still hold what would be given back.
void reap_orphan(StoredSteps& stored, Kernel& kernel, const JournaledStep& step, Reaped& reaped) {
  for (const std::string& process : stored.kill(tasks_of(*step.records)))
    return reaped.findings.push_back(
        "step " + step.name + ": " + process +
        " cannot be killed; what it holds stays out of use until it ends, then run 'container-ib reap'");
  const auto failed = give_back(kernel, in_force(*step.records)).failed;
  tell_failures(step, failed, reaped);
  if (!failed.empty()) return;
  const auto kept = stored.bury(step.name);
  if (!kept) return reaped.findings.push_back("step " + step.name + ": " + kept.error().message());
  reaped.given_back.push_back(step.name);
  tell_death(step, *kept, reaped);
}

}  // namespace

std::string explain_ending(const JournaledStep& step) {
  const bool container = is_container_attachment(step.name);
  return std::string(container ? "its process has ended, and 'container-ib attach', pid "
                               : "slurmstepd has died, and its agent, pid ") +
         opened(*step.records)->agent.pid;
}

StepState state_of(StoredSteps& stored, const std::string& boot_id, const JournaledStep& step,
                   const std::string& ended_stepd) {
  // A journal without its first record is one whose agent died before it changed anything; its directory is
  // an orphan.
  if (!step.records)
    return step.records.error().code == Errc::corrupt ? StepState::unreadable : StepState::orphaned;
  const Opened* open = opened(*step.records);
  if (open == nullptr) return StepState::orphaned;
  if (open->boot != boot_id) return StepState::of_earlier_boot;
  const JournaledProcess stepd = process_of(*step.records, {open->stepd});
  const bool stepd_lives = stored.is_alive(stepd);
  // Nobody goes on with what was half done to a container, or half given back.
  if (is_container_attachment(step.name) && !step.held && !is_whole_attachment(*step.records))
    return StepState::orphaned;
  if (step.held) return stepd_lives ? StepState::running : StepState::ending;
  return stepd_lives && stepd.pid != ended_stepd ? StepState::running : StepState::orphaned;
}

Result<Reaped> reap(StoredSteps& stored, Kernel& kernel, const std::string& job,
                    const std::string& ended_stepd) {
  CIB_TRY(const auto steps, stored.steps());
  CIB_TRY(const std::string boot, stored.boot_id());
  Reaped reaped;
  const auto reap_step = [&](const JournaledStep& step) {
    switch (state_of(stored, boot, step, ended_stepd)) {
      case StepState::running:
        break;
      case StepState::ending:
        reaped.findings.push_back(
            title_of(step.name) + ": " + explain_ending(step) +
            ", has not ended; what it holds stays out of use until it ends, then run 'container-ib reap'");
        break;
      case StepState::unreadable:
        reaped.findings.push_back(title_of(step.name) + ": " + step.records.error().message() +
                                  "; kept, look at it and remove the directory by hand");
        break;
      case StepState::of_earlier_boot:
      case StepState::orphaned: {
        // Nothing of an earlier boot can be alive or in force; an unread journal names none.
        const Opened* open = step.records ? opened(*step.records) : nullptr;
        const bool has_processes = open != nullptr && open->boot == boot;
        const JournaledStep nobody{step.name, std::vector<Record>{}};
        const auto reap_one = is_container_attachment(step.name) ? reap_container : reap_orphan;
        reap_one(stored, kernel, has_processes ? step : nobody, reaped);
        break;
      }
    }
  };
  for (const JournaledStep& step : steps) {
    if (!job.empty() && step.name != job && !step.name.starts_with(job + '.')) continue;
    const StepState state = state_of(stored, boot, step, ended_stepd);
    if (state == StepState::running) continue;
    if (state == StepState::ending) stored.await_agent(step.name);
    // What a second reaper undid after the first one had, it would undo of whoever has it by then.
    if (auto status = stored.exclusively(step.name, reap_step); !status)
      reaped.findings.push_back(title_of(step.name) + ": " + status.error().message());
  }
  return reaped;
}

}  // namespace cib
