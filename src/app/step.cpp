#include "app/step.hpp"

#include <algorithm>
#include <utility>

#include "app/explain.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/task_folder.hpp"

namespace cib {

Step::Step(StepFacts facts, Node& node, Tasks& tasks, StateStore& state, Kernel& kernel)
    : facts_(std::move(facts)),
      node_(node),
      tasks_(tasks),
      rendezvous_(facts_.local_tasks),
      attachment_(facts_, node, tasks, state, kernel, [this] { ask_for_patience(); }),
      report_(facts_, node, state),
      phases_(facts_.began) {}

// ---- what happens, in its order
// -----------------------------------------------------------------------------------------------

void Step::prepare() {
  phases_.end("start");
  if (auto status = attachment_.begin(); !status) fail(std::move(status).error());
  phases_.end("inventory");
}

void Step::relay_started(Result<ProcessIdentity> process) {
  auto status = process ? attachment_.note_relay(*process) : Status(std::move(process).error());
  if (!status) fail(std::move(status).error());
}

void Step::task_has_namespace(unsigned task, const std::string& container_option) {
  auto network = failure_ ? Result<NetnsFile>(NetnsFile()) : attachment_.network_of(task, container_option);
  if (!network) fail(network.error());
  if (!container_option.empty() && failure_ && must_refuse(*failure_)) {
    turn_away(task, *failure_);  // now, and not when an image has been unpacked
    task_died(task);
    return;
  }
  if (!attachment_.network_may_be_private() && container_option.empty()) return;
  const NetnsFile netns = network ? *network : NetnsFile();
  auto status = tasks_.give_network(task, netns);
  if (status.ok()) return;
  if (!failure_) fail(std::move(status).error());
  if (!netns.empty())
    (void)tasks_.give_network(task, "");  // it waits for one, and is told why with the others
}

std::vector<std::string> Step::asks_for() const {
  return failure_ ? std::vector<std::string>() : attachment_.asks_for();
}

void Step::task_ready(unsigned task, TaskFacts facts) {
  if (!rendezvous_.awaits(task)) return;  // dead, or answered already
  attachment_.task_ready(task, std::move(facts));
  const auto then = rendezvous_.task_ready(task);
  if (waiting_) return;
  then == Rendezvous::Then::answer_late ? answer(task) : decide_if(then);
}

void Step::task_died(unsigned task) { decide_if(rendezvous_.task_died(task)); }

void Step::task_left(unsigned task) { decide_if(rendezvous_.task_left(task)); }

void Step::task_misbehaved(unsigned task, const Error& error) {
  if (rendezvous_.is_dead(task)) return;
  tasks_.refuse(task, error.message());
  task_died(task);
}

void Step::deadline_passed() { decide_if(rendezvous_.deadline_passed()); }

void Step::decide_if(Rendezvous::Then then) {
  if (then == Rendezvous::Then::decide) decide();
}

// The main path: place -> journal -> claims -> networks -> devices -> answers. Nothing is written before it
// is certain that there is enough for the step.
void Step::decide() {
  rendezvous_.decided();
  phases_.end("tasks");  // Slurm forks, binds and releases them
  auto status =
      failure_ ? Status(*failure_) : attachment_.place_and_claim(rendezvous_.ready(), rendezvous_.living());
  phases_.end("placement");
  if (!status && status.error().code == Errc::in_use && wait_s() > 0 && !failure_) {
    waiting_ = std::move(status).error();
    return;
  }
  if (status.ok() && attachment_.is_private()) status = attach_network();
  if (status.ok()) status = note_ports();
  if (status.ok()) status = attach_devices();
  if (!status) fail(std::move(status).error());
  answer_all();
}

Status Step::attach_network() {
  CIB_CHECK(attachment_.make_networks(rendezvous_.ready()));
  phases_.end("network");
  auto status = attachment_.await_carriers();
  phases_.end("carrier");  // the subnet manager's part
  return status;
}

Status Step::note_ports() {
  CIB_TRY(auto ports, attachment_.note_ports());
  report_.uses(std::move(ports), attachment_.site().daemons);
  return {};
}

Status Step::attach_devices() {
  for (const unsigned task : rendezvous_.ready()) {
    CIB_CHECK(mount(task));
    ask_for_patience();
  }
  return {};
}

// One that has died meanwhile is nobody to attach, and no failure of the others.
Status Step::mount(unsigned task) {
  auto status = attachment_.mount(task);
  if (status || status.error().code != Errc::ended) return status;
  (void)rendezvous_.task_died(task);
  return {};
}

void Step::try_again() {
  if (!waiting_) return;
  waiting_.reset();
  decide();
}

void Step::give_up_waiting() {
  if (!waiting_) return;
  fail(*std::exchange(waiting_, std::nullopt));
  answer_all();
}

void Step::ask_for_patience() {
  tasks_.ask_for_patience([this] { return rendezvous_.ready(); });
}

// ---- answers
// -----------------------------------------------------------------------------------------------

// Nobody keeps half an attachment: with require=no the tasks go on, and they go on as if we were not there.
void Step::answer_all() {
  if (failure_) attachment_.undo_attach();
  phases_.end("attach");
  for (const unsigned task : rendezvous_.ready()) answer(task);
  phases_.end("answer");
}

void Step::answer(unsigned task) {
  auto status = failure_ || attachment_.is_attached(task) ? Status() : attach_late(task);
  if (rendezvous_.is_dead(task)) return;
  if (failure_) status = *failure_;
  status.ok() ? grant(task) : turn_away(task, status.error());
  rendezvous_.answered(task);
}

// It came after its node was decided.
Status Step::attach_late(unsigned task) {
  if (attachment_.is_private()) {
    CIB_CHECK(attachment_.make_network_late(task));
    CIB_CHECK(note_ports());
  }
  return mount(task);
}

// With require=no a task goes on as if nobody had asked, unless it is in a network namespace of ours: it
// cannot go back to the node's network, and in an empty one it would be worse off than without us.
bool Step::must_refuse(const Error& error) const {
  if (facts_.by_default) return false;
  return attachment_.require() || error.code == Errc::bad_request || attachment_.has_joined();
}

void Step::turn_away(unsigned task, const Error& error) {
  std::string why = error.message();
  if (facts_.by_default) {  // the site's own mistakes are told, once
    const bool is_sites = error.code == Errc::bad_config || error.code == Errc::bad_request;
    const bool tell = is_sites && facts_.node_id == 0 && !std::exchange(greeted_, true);
    return tasks_.decline(task, tell ? why : "");
  }
  for (const std::string& line : attachment_.forced()) why += "; " + line;
  must_refuse(error) ? tasks_.refuse(task, why) : tasks_.decline(task, why);
}

// Before the first message is sent. The nodes of a step have the same image, so the first one looks, once.
std::vector<std::string> Step::about_image(unsigned task) {
  std::vector<std::string> lines;
  if (facts_.node_id != 0 || greeted_ || !tells_what_is_wrong()) return lines;
  if (const std::string lending = attachment_.about_lending(task); !lending.empty())
    lines.push_back(facts_.node_name + ": " + lending);
  for (const std::string& fault : attachment_.faults_of_image(task))
    lines.push_back(facts_.node_name + ": image: " + fault);
  return lines;
}

void Step::grant(unsigned task) {
  const ReportLevel level = attachment_.settings().report;
  std::vector<std::string> lines, notes;
  const std::vector<std::string> of_image = about_image(task);
  const EnvironmentInputs in = attachment_.environment_of(task, notes);
  const EnvironmentPlan plan = build_environment(in);
  if (facts_.node_id == 0 && !greeted_) {
    lines = attachment_.forced();
    lines.insert(lines.end(), notes.begin(), notes.end());
  }
  if (!greeted_ && tells_what_is_wrong() && report_.is_talkative(level))
    for (const std::string& note : attachment_.port_notes()) lines.push_back(facts_.node_name + ": " + note);
  lines.insert(lines.end(), of_image.begin(), of_image.end());
  greeted_ = true;
  const TaskFacts& facts = attachment_.facts_of(task);
  if (!facts.pmix_servers.empty())
    if (auto line = explain_pmix_in_container(facts_.node_name, attachment_.rank_of(task), facts_.uid,
                                              facts.container);
        !line.empty())
      lines.push_back(std::move(line));
  if (facts_.daemon_step && report_.is_talkative(level))
    lines.push_back(explain_daemon_step(facts_.node_name, in.task_ports));
  if (!plan.warnings.empty() && facts_.node_id == 0 && !std::exchange(users_values_told_, true))
    for (const std::string& warning : plan.warnings)
      lines.push_back("rank " + std::to_string(attachment_.rank_of(task)) + ": " + warning);
  if (level == ReportLevel::full) {
    for (const std::string& name : plan.kept)
      lines.push_back("rank " + std::to_string(attachment_.rank_of(task)) + " keeps its own " + name);
    for (const EnvironmentChange& change : plan.set)
      if (std::find(plan.of_site.begin(), plan.of_site.end(), change.name) != plan.of_site.end())
        lines.push_back("rank " + std::to_string(attachment_.rank_of(task)) + " has " + change.name + "=" +
                        change.value + " from the site's file");
    lines.insert(lines.end(), plan.notes.begin(), plan.notes.end());
  }
  bool raised = false;
  if (attachment_.site().raise_memlock) {
    auto status = tasks_.raise_memlock(task, attachment_.site().memlock_bytes);
    raised = status.ok();
    if (!raised && status.error().code != Errc::ended && !std::exchange(memlock_told_, true))
      lines.push_back(explain_memlock(facts_.node_name, status.error()));
  }
  std::vector<EnvironmentChange> set = plan.set;
  offer_folder(task, set, lines);
  if (is_silent()) lines.clear();
  tasks_.grant(task, set, lines, raised);
}

// Without it the task still has all that it was given.
void Step::offer_folder(unsigned task, std::vector<EnvironmentChange>& set, std::vector<std::string>& lines) {
  if (!attachment_.wants_folder(task)) return;
  const auto folder = attachment_.make_folder(task, set);
  if (!folder) {
    if (folder.error().code != Errc::ended && !std::exchange(folder_told_, true))
      lines.push_back(explain_no_folder(facts_.node_name, folder.error()));
    return;
  }
  set.push_back({cdi_folder_variable, cdi_folder_of(*folder)});
  if (attachment_.shares_sysfs_in_podman() && facts_.node_id == 0 && !std::exchange(folder_told_, true))
    lines.push_back(explain_sysfs_in_podman(facts_.node_name));
  if (!attachment_.facts_of(task).user_variables.contains(podman_settings_variable))
    set.push_back({podman_settings_variable, podman_settings_of(*folder)});
  else if (facts_.node_id == 0 && !std::exchange(folder_told_, true))
    lines.push_back(explain_own_settings(*folder));
}

// ---- while the tasks run
// -----------------------------------------------------------------------------------------------

void Step::count_pmix_clients() {
  const auto servers = attachment_.pmix_servers();
  if (servers.empty()) return;
  if (const auto now = node_.connections_to(servers)) pmix_clients_ = std::max(pmix_clients_, *now);
}

// Once they have ended nothing is seen, and that would say nothing.
void Step::look_at_ports() {
  if (!rendezvous_.all_dead()) report_.look_at_ports();
}

void Step::look_inside() {
  count_pmix_clients();
  if (!tells_what_is_wrong()) return;
  for (const auto& [task, containers] : tasks_.look_inside())
    for (const auto& devices : containers)
      if (auto why = attachment_.differs_inside(task, devices); !why.empty())
        differing_.emplace(attachment_.rank_of(task), std::move(why));
}

// ---- the end
// -----------------------------------------------------------------------------------------------

std::vector<std::string> Step::report() {
  if (!rendezvous_.has_decided() || failure_ || !rendezvous_.all_dead() || is_silent()) return {};
  count_pmix_clients();
  const bool uses_pmix = !attachment_.pmix_servers().empty();
  return report_.lines(
      {.level = attachment_.settings().report,
       .singletons = uses_pmix && tells_what_is_wrong() ? explain_singletons(facts_, pmix_clients_) : "",
       .caveat = attachment_.caveat(),
       .inside = differing_,
       .choices = attachment_.choices()});
}

// Who sees to the node may never see what the user's terminal shows.
Step::Ending Step::finish() {
  report_.end_of_tasks();
  Ending ending{.for_user = report(), .for_administrator = attachment_.give_everything_back()};
  ending.for_user.insert(ending.for_user.end(), ending.for_administrator.begin(),
                         ending.for_administrator.end());
  return ending;
}

std::vector<std::string> Step::abandoned() {
  const auto survivors = tasks_.kill_survivors(attachment_.alone_in_container());
  if (survivors.empty()) return attachment_.give_everything_back();
  std::vector<std::string> lines;
  for (const std::string& process : survivors) {
    lines.push_back("step " + facts_.name() + ": slurmstepd died and " + process +
                    " cannot be killed; what it holds stays out of use until it ends");
    attachment_.quarantine(process);
  }
  return lines;
}

}  // namespace cib
