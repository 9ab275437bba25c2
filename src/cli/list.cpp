#include <fmt/chrono.h>
#include <fmt/core.h>

#include <ctime>
#include <memory>

#include "adapters/linux/find_process.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "app/reap.hpp"
#include "command.hpp"
#include "container_ib/text.hpp"
#include "json.hpp"
#include "output.hpp"
#include "state_options.hpp"
#include "table.hpp"

namespace cib::cli {

namespace {

struct ListOptions {
  std::string state;
  bool json = false;
};

// One step, or attachment to a container, as a row: all text, since that is what a journal holds.
struct Attachment {
  std::string step, state, mode, uid, ports, tasks, since;
  std::string pid, command;  // of a container's process; empty of a step
};

std::string process_of(const Attachment& row) {
  if (row.pid.empty()) return "";
  return row.command.empty() ? row.pid : fmt::format("{} ({})", row.pid, row.command);
}

std::string state_text(StepState state, const JournaledStep& step) {
  const bool container = is_container_attachment(step.name);
  switch (state) {
    case StepState::running:
      break;
    case StepState::ending:
      return "ending: " + explain_ending(step) + ", gives back";
    case StepState::orphaned:
      if (const std::string process = step.records ? quarantined(*step.records) : ""; !process.empty())
        return "quarantined: " + process;
      if (container && step.records && !is_whole_attachment(*step.records))
        return "not whole; container-ib detach or reap gives it back";
      return "orphaned; container-ib reap gives it back";
    case StepState::of_earlier_boot:
      return "of an earlier boot; container-ib reap removes it";
    case StepState::unreadable:
      return "unreadable: " + step.records.error().what;
  }
  if (container) return step.held ? "being attached" : "running";
  return step.held ? "running" : "running, agent died";
}

// What a living process is called now; its number is of the PID namespace of who attached.
std::string command_of(const Opened& open) {
  const auto pid = find_process(open.stepd.pid, open.stepd.start, open.pid_namespace);
  return pid ? process_name(*pid) : std::string();
}

std::string time_text(const std::string& seconds) {
  const auto value = whole_number<std::time_t>(seconds);
  return value ? fmt::format("{:%F %T}", fmt::localtime(*value)) : std::string();
}

Attachment describe(StoredSteps& stored, const std::string& boot, const JournaledStep& step) {
  Attachment row;
  row.step = step.name;
  row.state = state_text(state_of(stored, boot, step), step);
  const Opened* open = step.records ? opened(*step.records) : nullptr;
  if (open == nullptr) return row;
  const PortsNoted used = ports_of(*step.records);
  row.mode = used.mode;
  row.ports = used.ports;
  row.uid = open->uid;
  row.since = time_text(open->since);
  if (is_container_attachment(step.name)) {
    row.pid = open->stepd.pid;
    row.command = command_of(*open);
  }
  unsigned tasks = 0;
  for (const Record& record : *step.records) tasks += get_if<TaskNoted>(record) != nullptr ? 1U : 0U;
  row.tasks = std::to_string(tasks);
  return row;
}

Result<std::vector<Attachment>> attachments(const std::string& state) {
  LiveStoredSteps stored(state);
  CIB_TRY(const auto steps, stored.steps());
  CIB_TRY(const std::string boot, stored.boot_id());
  std::vector<Attachment> rows;
  for (const JournaledStep& step : steps) rows.push_back(describe(stored, boot, step));
  return rows;
}

int run(const ListOptions& options) {
  const auto rows = attachments(options.state);
  if (!rows) return cannot_look("list", rows.error());
  if (options.json) {
    auto list = nlohmann::ordered_json::array();
    for (const Attachment& row : *rows)
      list.push_back({{"step", row.step},
                      {"kind", row.pid.empty() ? "step" : "container"},
                      {"pid", row.pid},
                      {"command", row.command},
                      {"state", row.state},
                      {"mode", row.mode},
                      {"uid", row.uid},
                      {"ports", row.ports},
                      {"tasks", row.tasks},
                      {"since", row.since}});
    print(dump({{"attachments", list}}) + "\n");
  } else if (!rows->empty()) {
    std::vector<Row> table = {{"STEP", "MODE", "UID", "PORTS", "TASKS", "PROCESS", "SINCE", "STATE"}};
    for (const Attachment& row : *rows)
      table.push_back(
          {row.step, row.mode, row.uid, row.ports, row.tasks, process_of(row), row.since, row.state});
    print(format_table(table));
  }
  return fine;
}

}  // namespace

void add_list(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* command = app.add_subcommand("list", "Show what is attached on this node, for whom, since when");
  add_state_option(command, options->state);
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
