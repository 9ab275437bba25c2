#include "app/step.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "app/explain.hpp"
#include "container_ib/pmix_endpoint.hpp"
#include "container_ib/task_devices.hpp"
#include "container_ib/text.hpp"

namespace cib {

Step::Step(StepFacts facts, Node& node, Tasks& tasks, StateStore& state, Kernel& kernel)
    : facts_(std::move(facts)),
      node_(node),
      tasks_(tasks),
      state_(state),
      journal_(state),
      network_(kernel, node, journal_),
      traffic_(node, state),
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
  CIB_TRY(Request request, parse_request(facts_.option));
  network_may_be_private_ = may_be_private(request.mode);
  require_ = request.require.value_or(request.mode != Mode::auto_);
  CIB_CHECK(check_mode(request.mode));
  if (facts_.unfit) return Error(*facts_.unfit).in(facts_.node_name);
  CIB_TRY(site_, node_.site_config(facts_.config_path));
  CIB_TRY(inventory_, node_.inventory(site_));
  return choose_mode(request);
}

// auto takes the first of the site's modes that this node can do.
Status Step::choose_mode(const Request& request) {
  std::vector<Mode> modes = {request.mode};
  if (request.mode == Mode::auto_ && !site_.auto_modes.empty()) modes = site_.auto_modes;
  CIB_TRY(const Settings asked, resolve(request, site_));
  forced_ = forced_over(request, site_);
  Request one = request;
  one.require = require_ = asked.require;  // by the mode that was asked for, be it auto
  for (const Mode mode : modes) {
    one.mode = mode;
    CIB_TRY(settings_, resolve(one, site_));
    auto status = stay_in_nodes_network();
    if (status.ok()) status = begin_mode();
    if (status.ok() || mode == modes.back()) return status;
  }
  return {};
}

// mpirun's helper and a job's shell talk to the nodes and to slurmctld themselves, so they stay in the node's
// network.
bool Step::must_reach_slurm() const { return facts_.daemon_step || facts_.shell; }

// What a task's program is called, or that it is a shell, is the user's to choose: it leads to no mode that
// the site does not allow.
Status Step::stay_in_nodes_network() {
  if (!must_reach_slurm() || !may_be_private(settings_.mode)) return {};
  const std::string asked(mode_name(std::exchange(settings_.mode, Mode::verbs)));
  if (is_allowed(Mode::verbs, site_)) return {};
  return error(Errc::denied,
               facts_.node_name + ": " +
                   (facts_.daemon_step ? "mpirun's helper" : "a batch script or interactive shell") +
                   " stays in the node's network, so mode " + asked +
                   " means verbs for it, which is not allowed at this site; " +
                   (facts_.daemon_step ? "start the ranks with srun" : "leave out batch=yes"));
}

// Nothing is asked of the RDMA subsystem for a mode that stays in the node's network.
Status Step::begin_mode() {
  CIB_CHECK(check_mode(settings_.mode));
  mode_ = unit_of(settings_.mode);
  if (mode_ == nullptr) return error(Errc::bug, "mode " + std::string(mode_name(settings_.mode)) + " has no unit");
  const std::string step = step_name(facts_.job, facts_.step);
  owner_ = claim_owner(step, facts_.owner.agent.start, facts_.uid);
  if (!journal_.is_open()) {
    Opened first = facts_.owner;
    first.uid = std::to_string(facts_.uid);
    first.node = facts_.node_name;
    first.option = facts_.option;
    CIB_CHECK(journal_.open(step, std::move(first)));
  }
  rdma_is_exclusive_.reset();
  if (may_be_private(settings_.mode)) rdma_is_exclusive_ = node_.rdma_is_exclusive();
  if (rdma_is_exclusive_ && !*rdma_is_exclusive_) return rdma_is_exclusive_->error();
  if (auto status = mode_->suits(node_facts()); !status)
    return error(status.error().code, facts_.node_name + ": mode " + std::string(mode_name(settings_.mode)) + ' ' +
                                          status.error().message());
  network_.begin(*mode_,
                 {.node = node_,
                  .settings = settings_,
                  .site = site_,
                  .node_name = facts_.node_name,
                  .owner = owner_,
                  .rdma_is_exclusive = rdma_is_exclusive_ && **rdma_is_exclusive_,
                  .run = {}},
                 state_.directory());
  return {};
}

NodeFacts Step::node_facts() const {
  return {.name = facts_.node_name, .inventory = inventory_, .site = site_, .rdma_is_exclusive = rdma_is_exclusive_};
}

void Step::relay_started(Result<ProcessIdentity> process) {
  const auto status =
      process ? journal_.write(Mark::done, RelayNoted{*process}) : Status(std::move(process).error());
  if (!status) fail(status.error());
}

void Step::task_started(unsigned task, unsigned rank, CpuSet mask, bool bound, TaskProcess process) {
  task_[task].rank = rank;
  task_[task].mask = std::move(mask);
  task_[task].bound = bound;
  task_[task].process = std::move(process);
}

void Step::task_has_namespace(unsigned task) {
  Task& t = task_[task];
  t.has_namespace = true;
  if (!network_may_be_private_) return;
  NetnsFile netns;
  if (!failure_ && network_.is_private()) {
    auto made = network_.join(task);
    if (made)
      netns = *made;
    else
      fail(std::move(made).error());
  }
  auto status = tasks_.give_network(task, netns);
  if (status.ok()) return;
  if (!failure_) fail(std::move(status).error());
  if (!netns.empty())
    (void)tasks_.give_network(task, "");  // it waits for one, and is told why with the others
}

void Step::task_ready(unsigned task, TaskFacts facts) {
  Task& t = task_[task];
  if (t.progress != Progress::forked) return;  // dead, or answered already
  t.facts = std::move(facts);
  t.progress = Progress::ready;
  first_ready_ = true;
  if (waiting_) return;
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

// The main path: place -> journal -> claims -> networks -> devices -> answers. Nothing is written before it
// is certain that there is enough for the step.
void Step::decide() {
  decided_ = true;
  phases_.end("tasks");  // Slurm forks, binds and releases them
  auto status = failure_ ? Status(*failure_) : place_and_claim();
  phases_.end("placement");
  if (!status && status.error().code == Errc::in_use && settings_.wait_s > 0 && !failure_) {
    waiting_ = std::move(status).error();
    return;
  }
  if (status.ok()) status = attach_networks();
  if (status.ok()) status = note_ports();
  for (const unsigned id : ready_tasks()) {
    if (!status) break;
    status = attach(id, task_[id]);
    ask_for_patience();
  }
  if (!status) fail(std::move(status).error());
  answer_all();
}

Status Step::place_and_claim() {
  if (!network_.is_private()) {
    CIB_CHECK(place_tasks());
    return note_tasks();
  }
  CIB_TRY(const auto turn, network_.claims_turn());
  CIB_CHECK(place_tasks());
  std::vector<StepNetwork::Wish> wishes;
  for (const unsigned id : ready_tasks()) wishes.push_back({id, task_[id].rank, placed_ports(task_[id])});
  CIB_CHECK(network_.check_addresses(wishes));
  CIB_CHECK(note_tasks());
  return network_.claim(wishes);
}

std::vector<unsigned> Step::ready_tasks() const {
  std::vector<unsigned> ready;
  for (unsigned id = 0; id < task_.size(); ++id)
    if (task_[id].progress == Progress::ready) ready.push_back(id);
  return ready;
}

bool Step::keeps_tasks_waiting() const { return !ready_tasks().empty(); }

void Step::ask_for_patience() {
  tasks_.ask_for_patience([this] { return ready_tasks(); });
}

void Step::answer_all() {
  if (failure_) take_back();
  phases_.end("attach");
  for (unsigned id = 0; id < task_.size(); ++id)
    if (task_[id].progress == Progress::ready) answer(id, task_[id]);
  phases_.end("answer");
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

Status Step::place_tasks() {
  auto options = placement_options(settings_, site_, facts_.node_name);
  // A list of ports costs nothing, but each port of a private network is a VF or a child.
  const bool may_roam = options.rails == 0 && !network_may_be_private_;
  std::vector<LocalTask> tasks;
  for (unsigned id = 0; id < task_.size(); ++id) {
    const Task& t = task_[id];
    if (t.progress == Progress::dead) continue;
    tasks.push_back(
        {id, t.mask, visible_gpus(inventory_, t.facts.gpus), split_list(t.facts.nics), t.bound || !may_roam});
  }
  CIB_TRY(assignment_, mode_->place({.facts = node_facts(),
                                     .node = node_,
                                     .settings = settings_,
                                     .tasks = tasks,
                                     .options = std::move(options),
                                     .owner = owner_}));
  for (const TaskPlacement& placed : assignment_.tasks) {
    Task& t = task_[placed.task];
    t.ports = placed.ports;
    if (facts_.daemon_step) {  // it starts the ranks itself: every port of the node is theirs
      t.ports.clear();
      for (const PortVerdict& verdict : assignment_.verdicts)
        if (verdict.eligible) t.ports.push_back(verdict.port);
    }
    if (t.ports.empty())
      return error(Errc::unusable, explain_no_port(facts_.node_name, inventory_, assignment_));
    t.line = explain_choice(facts_.node_name, t.rank, inventory_, placed, t.ports);
  }
  return {};
}

Status Step::note_tasks() {
  for (unsigned id = 0; id < task_.size(); ++id) {
    if (task_[id].process.pid.empty()) continue;
    CIB_CHECK(journal_.write(Mark::done, TaskNoted{id, task_[id].process}));
  }
  return {};
}

Status Step::attach_networks() {
  if (!network_.is_private()) return {};
  for (const unsigned id : ready_tasks()) {
    CIB_CHECK(attach_network(id, task_[id]));
    ask_for_patience();
  }
  phases_.end("network");
  auto status = network_.await_carriers([&] { ask_for_patience(); });
  phases_.end("carrier");  // the subnet manager's part
  return status;
}

Status Step::attach_late_network(unsigned id, Task& task) {
  const std::vector<StepNetwork::Wish> wish = {{id, task.rank, placed_ports(task)}};
  {
    CIB_TRY(const auto turn, network_.claims_turn());
    CIB_CHECK(network_.check_addresses(wish));
    CIB_CHECK(network_.claim(wish));
  }
  CIB_CHECK(attach_network(id, task));
  CIB_CHECK(network_.await_carriers([&] { ask_for_patience(); }));
  return note_ports();
}

Status Step::attach_network(unsigned id, Task& task) {
  auto devices = network_.attach(id, placed_ports(task));
  if (!devices) return std::move(devices).error().in("attach rank " + std::to_string(task.rank));
  task.devices = std::move(*devices);
  return relay_pmix(task);
}

// A PMIx server listens on the node's loopback, which a private network does not reach.
Status Step::relay_pmix(const Task& task) {
  std::set<TcpEndpoint> servers;
  for (const std::string& value : task.facts.pmix_servers) {
    auto endpoint = parse_pmix_server(value);
    if (!endpoint)
      return std::move(endpoint).error().in("rank " + std::to_string(task.rank) + "'s PMIx server");
    servers.insert(*endpoint);
  }
  for (const TcpEndpoint& endpoint : servers) {
    auto status = tasks_.relay(task.devices.front().netns, endpoint);
    if (!status) return std::move(status).error().in("relay PMIx for rank " + std::to_string(task.rank));
  }
  return {};
}

Status Step::note_ports() {
  auto ports = used_ports();
  std::vector<std::string> names;
  for (const PlacedPort& placed : ports) names.push_back(placed.port.name());
  CIB_CHECK(journal_.write(Mark::done, PortsNoted{std::string(mode_name(settings_.mode)), join(names, ",")}));
  traffic_.has_begun() ? traffic_.add(std::move(ports)) : traffic_.begin(std::move(ports));
  return {};
}

Status Step::attach(unsigned id, Task& task) {
  const auto doing = "attach rank " + std::to_string(task.rank);
  if (!task.has_namespace) return error(Errc::bug, doing + ": no mount namespace of its own");
  // A container that the tasks of the node share can have only one /dev/infiniband.
  std::vector<Port> ports;
  if (settings_.scope == Scope::node) {
    for (const PlacedPort& placed : used_ports()) ports.push_back(placed.port);
  } else {
    ports = ports_of(task);
  }
  const DevicesMounted mounted{id, join_names(ports)};
  CIB_CHECK(journal_.write(Mark::intent, mounted));
  if (auto status = tasks_.mount_devices(id, ports, settings_.umad); !status) {
    if (status.error().code == Errc::ended) {  // meanwhile: nobody to attach
      task.progress = Progress::dead;
      return {};
    }
    if (status.error().code == Errc::stuck)
      (void)journal_.write(Mark::intent, Quarantined{status.error().message()});
    return std::move(status).error().in(doing);
  }
  task.attached = true;
  return journal_.write(Mark::done, mounted);
}

void Step::fail(Error error) { failure_ = std::move(error); }

// Nobody keeps half an attachment: with require=no the tasks go on, and they go on as if we were not there.
void Step::take_back() {
  for (unsigned id = 0; id < task_.size(); ++id) {
    if (!task_[id].attached) continue;
    if (tasks_.unmount_devices(id).ok()) (void)journal_.write(Mark::undone, DevicesMounted{id, ""});
    task_[id].attached = false;
  }
  if (network_.is_private()) (void)network_.give_interfaces_back();  // what fails is tried again at the end
}

// Who sees to the node may never see what the user's terminal shows.
Step::Ending Step::finish() {
  Ending ending{.for_user = report(), .for_administrator = give_everything_back()};
  ending.for_user.insert(ending.for_user.end(), ending.for_administrator.begin(),
                         ending.for_administrator.end());
  return ending;
}

std::vector<std::string> Step::abandoned() {
  const auto survivors = tasks_.kill_survivors();
  if (survivors.empty()) return give_everything_back();
  std::vector<std::string> lines;
  for (const std::string& process : survivors) {
    lines.push_back("step " + step_name(facts_.job, facts_.step) + ": slurmstepd died and " + process +
                    " cannot be killed; what it holds stays out of use until it ends");
    if (journal_.is_open()) (void)journal_.write(Mark::intent, Quarantined{process});
  }
  return lines;
}

// The journal goes last, and stays when something could not be given back: then the reaper tries again.
std::vector<std::string> Step::give_everything_back() {
  std::vector<std::string> lines;
  tasks_.end_relay();
  if (network_.is_private())
    for (const std::string& failed : network_.give_all_back())
      lines.push_back(facts_.node_name + ": step " + step_name(facts_.job, facts_.step) +
                      ": could not give back " + failed +
                      "; it stays out of use, 'container-ib reap' on the node tries again");
  if (lines.empty()) journal_.close();
  return lines;
}

bool Step::all_dead() const {
  return std::all_of(task_.begin(), task_.end(), [](const Task& t) { return t.progress == Progress::dead; });
}

std::vector<Port> Step::placed_ports(const Task& task) const {
  std::vector<Port> ports;
  for (const std::size_t index : task.ports) ports.push_back(inventory_.ports[index]);
  return ports;
}

// What the task opens: of a PF that it was placed on, its own VF.
std::vector<Port> Step::ports_of(const Task& task) const {
  if (task.devices.empty()) return placed_ports(task);
  std::vector<Port> ports;
  for (const NetworkDevice& device : task.devices) ports.push_back(device.port);
  return ports;
}

std::vector<PlacedPort> Step::used_ports() const {
  std::vector<PlacedPort> used;
  const auto add = [&](PlacedPort placed) {
    const auto same = [&](const PlacedPort& other) {
      return other.port.name() == placed.port.name() && other.netns == placed.netns;
    };
    if (std::none_of(used.begin(), used.end(), same)) used.push_back(std::move(placed));
  };
  for (const Task& t : task_) {
    for (const NetworkDevice& device : t.devices) add({device.port, device.netns});
    if (!network_.is_private())
      for (const Port& port : placed_ports(t)) add({port});
  }
  std::sort(used.begin(), used.end(), [](const PlacedPort& a, const PlacedPort& b) {
    return std::pair(a.port.pci, a.port.number) < std::pair(b.port.pci, b.port.number);
  });
  return used;
}

}  // namespace cib
