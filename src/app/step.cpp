#include "app/step.hpp"

#include <algorithm>

#include "app/explain.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/task_devices.hpp"
#include "container_ib/verdict.hpp"

namespace cib {

Step::Step(StepFacts facts, Node& node, Tasks& tasks, StateStore& state)
    : facts_(std::move(facts)),
      node_(node),
      tasks_(tasks),
      state_(state),
      task_(facts_.local_tasks),
      phases_(facts_.began) {}

void Step::prepare() {
  phases_.end("start");
  if (auto status = read_site_and_node(); !status) fail(std::move(status).error());
  phases_.end("inventory");
}

// The option was checked in srun, but its text may be forged on the way here (spank_process_env_options reads
// it from the job's environment), so it is parsed and authorised again.
Status Step::read_site_and_node() {
  CIB_TRY(const Request request, parse_request(facts_.option));
  require_ = request.require.value_or(request.mode != Mode::auto_);
  CIB_CHECK(check_mode(request.mode));
  CIB_TRY(site_, node_.site_config(facts_.config_path));
  CIB_TRY(settings_, resolve(request, site_));
  require_ = settings_.require;
  CIB_TRY(inventory_, node_.inventory(site_));
  return {};
}

void Step::task_started(unsigned task, CpuSet mask, std::map<std::string, std::string> process) {
  task_[task].mask = std::move(mask);
  task_[task].process = std::move(process);
}

void Step::task_has_namespace(unsigned task) { task_[task].has_namespace = true; }

void Step::task_ready(unsigned task, TaskFacts facts) {
  Task& t = task_[task];
  if (t.progress != Progress::forked) return;  // dead, or answered already
  t.facts = std::move(facts);
  t.progress = Progress::ready;
  first_ready_ = true;
  if (decided_)
    answer(task, t);  // it came after the deadline
  else
    decide_when_complete();
}

void Step::task_died(unsigned task) {
  task_[task].progress = Progress::dead;
  decide_when_complete();
}

// Before it was ready: another plugin's failure may keep Slurm from calling ours, and the task runs on
// without us (spank.c: do_call_stack of 22.05 to 24.11 after a positive number). Nobody shall wait for it.
void Step::task_left(unsigned task) {
  if (task_[task].progress == Progress::forked) task_died(task);
}

void Step::task_misbehaved(unsigned task, const Error& error) {
  if (task_[task].progress == Progress::dead) return;
  tasks_.refuse(task, error.message());
  task_[task].progress = Progress::dead;
  decide_when_complete();
}

void Step::deadline_passed() {
  if (!decided_) decide();
}

// All masks are known before the first task reports (slurmstepd forks and binds all tasks before it releases
// one into task_init), but their GPUs and NICs only when each has reported.
void Step::decide_when_complete() {
  if (decided_ || !first_ready_) return;
  const bool complete =
      std::all_of(task_.begin(), task_.end(), [](const Task& t) { return t.progress != Progress::forked; });
  if (complete) decide();
}

// The main path: place -> open the journal -> attach -> publish.
void Step::decide() {
  decided_ = true;
  phases_.end("tasks");  // Slurm forks, binds and releases them
  if (!failure_) {
    auto status = place_tasks();
    phases_.end("placement");
    if (status.ok()) status = open_journal();
    for (unsigned id = 0; status.ok() && id < task_.size(); ++id)
      if (task_[id].progress == Progress::ready) status = attach(id, task_[id]);
    if (!status.ok()) fail(std::move(status).error());
  }
  if (failure_) take_back();
  phases_.end("attach");
  for (unsigned id = 0; id < task_.size(); ++id)
    if (task_[id].progress == Progress::ready) answer(id, task_[id]);
  phases_.end("answer");
}

Status Step::place_tasks() {
  std::vector<LocalTask> tasks;
  for (unsigned id = 0; id < task_.size(); ++id) {
    const Task& t = task_[id];
    if (t.progress == Progress::dead) continue;
    tasks.push_back({id, t.mask, visible_gpus(inventory_, t.facts.gpus), split_list(t.facts.nics)});
  }
  assignment_ = place(inventory_, tasks, placement_options(settings_, site_, facts_.node_name));
  for (const TaskPlacement& placed : assignment_.tasks) {
    Task& t = task_[placed.task];
    t.ports = placed.ports;
    if (facts_.daemon_step) {  // it starts the ranks itself: every port of the node is theirs
      t.ports.clear();
      for (const PortVerdict& verdict : assignment_.verdicts)
        if (verdict.eligible) t.ports.push_back(verdict.port);
    }
    if (t.ports.empty())
      return error(Errc::unavailable, explain_no_port(facts_.node_name, inventory_, assignment_));
    t.line = explain_choice(facts_.node_name, inventory_, placed, t.ports);
  }
  return {};
}

Status Step::open_journal() {
  CIB_CHECK(state_.create(step_name(facts_.job, facts_.step)));
  journal_open_ = true;
  auto fields = facts_.owner;
  fields["uid"] = std::to_string(facts_.uid);
  fields["mode"] = mode_name(settings_.mode);
  fields["node"] = facts_.node_name;
  fields["ports"] = join_names(used_ports());
  CIB_CHECK(record(Mark::done, "open", std::move(fields)));
  for (unsigned id = 0; id < task_.size(); ++id) {
    if (task_[id].process.empty()) continue;
    auto process = task_[id].process;
    process["task"] = std::to_string(id);
    CIB_CHECK(record(Mark::done, "task", std::move(process)));
  }
  std::vector<std::string> names;
  for (const Port& port : used_ports()) names.push_back(port.name());
  shared_ = state_.share(names);
  auto before = node_.counters(used_ports());
  if (before) before_ = *before;
  return {};
}

Status Step::attach(unsigned id, Task& task) {
  const auto doing = "attach task " + std::to_string(id);
  if (!task.has_namespace) return error(Errc::bug, doing + ": no mount namespace of its own");
  // A container that the tasks of the node share can have only one /dev/infiniband.
  const auto ports = settings_.scope == Scope::node ? used_ports() : ports_of(task);
  const std::map<std::string, std::string> fields = {{"task", std::to_string(id)},
                                                     {"ports", join_names(ports)}};
  CIB_CHECK(record(Mark::intent, "mount_devices", fields));
  if (auto status = tasks_.mount_devices(id, ports, settings_.umad); !status) {
    if (status.error().code == Errc::unavailable) {  // it died meanwhile: nobody to attach
      task.progress = Progress::dead;
      return {};
    }
    return std::move(status).error().in(doing);
  }
  task.attached = true;
  return record(Mark::done, "mount_devices", fields);
}

Status Step::record(Mark mark, const std::string& verb, std::map<std::string, std::string> fields) {
  return state_.append({.seq = ++seq_, .mark = mark, .verb = verb, .fields = std::move(fields)});
}

void Step::fail(Error error) { failure_ = std::move(error); }

// Nobody keeps half an attachment: with require=no the tasks go on, and they go on as if we were not there.
void Step::take_back() {
  for (unsigned id = 0; id < task_.size(); ++id) {
    if (!task_[id].attached) continue;
    if (tasks_.unmount_devices(id).ok())
      (void)record(Mark::undone, "mount_devices", {{"task", std::to_string(id)}});
    task_[id].attached = false;
  }
}

void Step::answer(unsigned id, Task& task) {
  if (!failure_ && !task.attached) {  // a late one
    if (auto status = attach(id, task); !status) {
      const Error& error = status.error();
      require_ ? tasks_.refuse(id, error.message()) : tasks_.decline(id, error.message());
      task.progress = Progress::answered;
      return;
    }
  }
  if (task.progress == Progress::dead) return;
  if (!failure_) {
    grant(id, task);
  } else if (require_ || failure_->code == Errc::bad_request) {
    tasks_.refuse(id, failure_->message());
  } else {
    tasks_.decline(id, failure_->message());
  }
  task.progress = Progress::answered;
}

void Step::grant(unsigned id, Task& task) {
  EnvironmentInputs in;
  in.mode = settings_.mode;
  in.require = settings_.require;
  in.profiles = settings_.env;
  in.node_ports = eligible_names();
  for (const Port& port : inventory_.ports) in.node_devices.push_back(port.device);
  in.plan = assignment_.plan;
  in.private_user_namespaces = facts_.user_namespaces && facts_.local_tasks > 1;
  in.user = task.facts.user_variables;
  for (const Port& port : ports_of(task)) in.task_ports.push_back(port.name());
  in.numa = join_numbers(inventory_.ports[task.ports.front()].numa);

  const EnvironmentPlan plan = build_environment(in);
  std::vector<std::string> lines;
  if (facts_.daemon_step) lines.push_back(explain_daemon_step(facts_.node_name, in.task_ports));
  if (settings_.report == ReportLevel::full) {
    for (const std::string& name : plan.kept)
      lines.push_back("task " + std::to_string(id) + " keeps its own " + name);
    lines.insert(lines.end(), plan.notes.begin(), plan.notes.end());
  }
  bool raised = false;
  if (site_.raise_memlock) {
    auto status = tasks_.raise_memlock(id, site_.memlock_bytes);
    raised = status.ok();
    if (!raised && status.error().code != Errc::unavailable) lines.push_back(status.error().message());
  }
  tasks_.grant(id, plan.set, lines, raised);
}

std::vector<std::string> Step::report() {
  if (reported_ || !decided_ || failure_ || !all_dead() || !before_) return {};
  reported_ = true;
  std::vector<std::string> lines;
  if (settings_.report == ReportLevel::full)
    for (const Task& t : task_)
      if (!t.line.empty()) lines.push_back(t.line);
  const auto after = node_.counters(used_ports());
  if (!after) {
    lines.push_back(facts_.node_name + ": unknown: " + after.error().message());
    return lines;
  }
  Traffic traffic;
  traffic.verbs_sent = after->verbs_sent - before_->verbs_sent;
  traffic.verbs_received = after->verbs_received - before_->verbs_received;
  traffic.tcp_sent = after->tcp_sent - before_->tcp_sent;
  traffic.tcp_received = after->tcp_received - before_->tcp_received;
  traffic.ipoib_sent = after->ipoib_sent - before_->ipoib_sent;
  traffic.ipoib_received = after->ipoib_received - before_->ipoib_received;
  traffic.shared = shared_ || state_.shared();
  traffic.nodes = facts_.nodes;
  const Judgement judgement = judge(traffic);
  if (judgement.verdict != Verdict::native || settings_.report != ReportLevel::off)
    lines.push_back(facts_.node_name + ": " + std::string(verdict_name(judgement.verdict)) + ": " +
                    judgement.reason);
  return lines;
}

std::vector<std::string> Step::finish() {
  auto lines = report();
  close_journal();
  return lines;
}

std::vector<std::string> Step::abandoned() {
  const auto survivors = tasks_.kill_survivors();
  std::vector<std::string> lines;
  for (const std::string& process : survivors) {
    lines.push_back("step " + step_name(facts_.job, facts_.step) + ": slurmstepd died and " + process +
                    " cannot be killed; what it holds stays out of use until it ends");
    if (journal_open_) (void)record(Mark::intent, "quarantine", {{"process", process}});
  }
  if (survivors.empty()) close_journal();
  return lines;
}

void Step::close_journal() {
  if (!journal_open_) return;
  journal_open_ = false;
  (void)state_.remove();  // when it fails, the reaper finds the directory of a dead agent and removes it
}

bool Step::all_dead() const {
  return std::all_of(task_.begin(), task_.end(), [](const Task& t) { return t.progress == Progress::dead; });
}

std::vector<Port> Step::ports_of(const Task& task) const {
  std::vector<Port> ports;
  for (const std::size_t index : task.ports) ports.push_back(inventory_.ports[index]);
  return ports;
}

std::vector<Port> Step::used_ports() const {
  std::vector<std::size_t> indexes;
  for (const Task& t : task_) indexes.insert(indexes.end(), t.ports.begin(), t.ports.end());
  std::sort(indexes.begin(), indexes.end());
  indexes.erase(std::unique(indexes.begin(), indexes.end()), indexes.end());
  std::vector<Port> ports;
  for (const std::size_t index : indexes) ports.push_back(inventory_.ports[index]);
  return ports;
}

std::vector<std::string> Step::eligible_names() const {
  std::vector<std::string> names;
  for (const PortVerdict& verdict : assignment_.verdicts)
    if (verdict.eligible) names.push_back(inventory_.ports[verdict.port].name());
  return names;
}

}  // namespace cib
