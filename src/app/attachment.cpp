#include "app/attachment.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <utility>

#include "app/explain.hpp"
#include "container_ib/address_pool.hpp"
#include "container_ib/pmix_endpoint.hpp"
#include "container_ib/site_fabric.hpp"
#include "container_ib/task_folder.hpp"
#include "container_ib/text.hpp"
#include "container_ib/wire.hpp"

namespace cib {

Attachment::Attachment(const StepFacts& facts, Node& node, AttachedTasks& tasks, StateStore& state,
                       Kernel& kernel, std::function<void()> meanwhile)
    : facts_(facts),
      node_(node),
      tasks_(tasks),
      state_(state),
      meanwhile_(std::move(meanwhile)),
      journal_(state),
      actions_(kernel, journal_),
      network_(kernel, actions_),
      containers_(facts, node, tasks, kernel, journal_),
      images_(tasks, journal_),
      task_(facts.local_tasks) {}

// ---- before any task is there
// -----------------------------------------------------------------------------------------------

// The option was checked in srun, but its text may be forged on the way here (spank_process_env_options reads
// it from the job's environment), so it is parsed and authorised again.
Status Attachment::begin() {
  CIB_TRY(const Request request, parse_request(facts_.option));
  network_may_be_private_ = may_be_private(request.mode) && !facts_.by_default;
  require_ = request.require.value_or(request.mode != Mode::auto_) && !facts_.by_default;
  CIB_CHECK(check_mode(request.mode));
  if (facts_.unfit) return Error(*facts_.unfit).in(facts_.node_name);
  CIB_TRY(site_, node_.site_config(facts_.config_path));
  rules_ = rules_for_node(site_.environment, facts_.node_name);
  CIB_TRY(inventory_, node_.inventory(site_));
  return choose_mode(request);
}

// auto takes the first of the site's modes that this node can do.
Status Attachment::choose_mode(const Request& request) {
  std::vector<Mode> modes = {request.mode};
  if (request.mode == Mode::auto_ && !site_.auto_modes.empty()) modes = site_.auto_modes;
  const AskedBy by = facts_.by_default ? AskedBy::site : AskedBy::user;
  CIB_TRY(const Settings asked, resolve(request, site_, by));
  if (by == AskedBy::user) forced_ = forced_over(request, site_);
  Request one = request;
  // By the mode that was asked for, be it auto.
  one.require = require_ = asked.require && by == AskedBy::user;
  for (const Mode mode : modes) {
    one.mode = mode;
    CIB_TRY(settings_, resolve(one, site_, by));
    settings_.require = require_;  // also over a [force] of the site's
    auto status = stay_in_nodes_network();
    if (status.ok()) status = begin_mode();
    if (status.ok() || mode == modes.back()) return status;
  }
  return {};
}

// mpirun's helper and a job's shell talk to the nodes and to slurmctld themselves, and what a step whose user
// has not asked does nobody knows, so they stay in the node's network. What a task's program is called, or
// that it is a shell, is the user's to choose: it leads to no mode that the site does not allow.
Status Attachment::stay_in_nodes_network() {
  if (!must_reach_slurm() || !may_be_private(settings_.mode)) return {};
  const std::string asked(mode_name(std::exchange(settings_.mode, Mode::verbs)));
  if (is_allowed(Mode::verbs, site_)) return {};
  return error(Errc::denied, facts_.node_name + ": " +
                                 (facts_.daemon_step  ? "mpirun's helper"
                                  : facts_.by_default ? "a step whose user has not asked"
                                                      : "a batch script or interactive shell") +
                                 " stays in the node's network, so mode " + asked +
                                 " means verbs for it, which is not allowed at this site; " +
                                 (facts_.daemon_step  ? "start the ranks with srun"
                                  : facts_.by_default ? "ask for it with --container-ib"
                                                      : "leave out batch=yes"));
}

// Nothing is asked of the RDMA subsystem for a mode that stays in the node's network.
Status Attachment::begin_mode() {
  const std::string name(mode_name(settings_.mode));
  CIB_CHECK(check_mode(settings_.mode));
  mode_ = unit_of(settings_.mode);
  if (mode_ == nullptr) return error(Errc::bug, "mode " + name + " has no unit");
  if (facts_.container && facts_.container->no_network && may_be_private(settings_.mode))
    return Error(*facts_.container->no_network).in("mode " + name);
  owner_ = claim_owner(facts_.name(), facts_.owner.agent.start, facts_.uid);
  if (!journal_.is_open()) {
    Opened first = facts_.owner;
    first.uid = std::to_string(facts_.uid);
    first.node = facts_.node_name;
    first.option = facts_.option;
    CIB_CHECK(journal_.open(facts_.name(), std::move(first)));
  }
  rdma_is_exclusive_.reset();
  if (may_be_private(settings_.mode)) rdma_is_exclusive_ = node_.rdma_is_exclusive();
  if (const auto status = mode_->suits(node_facts()); !status)
    return error(status.error().code, facts_.node_name + ": mode " + name + ' ' + status.error().message());
  network_.begin(*mode_,
                 {.node = node_,
                  .settings = settings_,
                  .site = site_,
                  .node_name = facts_.node_name,
                  .owner = owner_,
                  .rdma_is_exclusive = is_exclusive(),
                  .network_of = facts_.container ? std::optional(facts_.container->process) : std::nullopt,
                  .nodes = [this] { return step_nodes(); },
                  .job = facts_.job,
                  .step = facts_.step,
                  .run = {}},
                 state_.directory());
  return {};
}

bool Attachment::is_exclusive() const {
  return rdma_is_exclusive_ && rdma_is_exclusive_->ok() && **rdma_is_exclusive_;
}

NodeFacts Attachment::node_facts() const {
  return {.name = facts_.node_name,
          .inventory = inventory_,
          .site = site_,
          .rdma_is_exclusive = rdma_is_exclusive_};
}

std::string Attachment::caveat() const {
  const std::string what = mode_ == nullptr ? "" : mode_->caveat(node_facts());
  return what.empty() ? what : std::string(mode_name(settings_.mode)) + ' ' + what;
}

Status Attachment::note_relay(const ProcessIdentity& relay) {
  return journal_.write(Mark::done, RelayNoted{relay});
}

// ---- the tasks, as they come
// -----------------------------------------------------------------------------------------------

void Attachment::task_started(unsigned task, TaskOrigin origin) { task_[task].origin = std::move(origin); }

void Attachment::task_ready(unsigned task, TaskFacts facts) { task_[task].facts = std::move(facts); }

// A plugin that makes containers makes one for all tasks of the node, and with a network of its own each
// could not enter that (setns() to a network namespace that is the host's takes the host's root).
Result<NetnsFile> Attachment::network_of(unsigned task, const std::string& container_option) {
  task_[task].has_namespace = true;
  task_[task].container_option = container_option;
  if (!container_option.empty()) {
    CIB_CHECK(check_any_port());
    if (network_.is_private() && settings_.scope == Scope::task && facts_.local_tasks > 1)
      return error(Errc::bad_request, "scope=task: " + container_option +
                                          " has one container for the node's tasks; leave scope out");
    if (settings_.scope == Scope::auto_) settings_.scope = Scope::node;
  }
  return network_.is_private() ? network_.join(task) : NetnsFile();
}

// What is known before a plugin unpacks an image is told before it does.
Status Attachment::check_any_port() const {
  const auto options = placement_options(settings_, site_, facts_.node_name);
  const Assignment nobody = cib::place(inventory_, {}, options);
  if (!eligible_ports(nobody).empty()) return {};
  return error(Errc::unusable, explain_no_port(facts_.node_name, inventory_, nobody));
}

// ---- place, claim, make
// -----------------------------------------------------------------------------------------------

// Each entry is a question to the firmware, so a port's table is read when it matters.
Status Attachment::read_pkeys() {
  if (!settings_.pkey) return {};
  for (Port& port : inventory_.ports) {
    if (port.state != PortState::active || port.physfn || !port.pkeys.empty()) continue;
    if (auto table = node_.pkeys(port)) port.pkeys = std::move(*table);
  }
  return {};
}

Status Attachment::place_and_claim(const std::vector<unsigned>& ready, const std::vector<unsigned>& living) {
  CIB_CHECK(check_orders(ready));
  CIB_CHECK(read_pkeys());
  CIB_CHECK(choose_fabric(ready));
  const bool by_us = settings_.scope == Scope::auto_;
  settings_.scope = placement(node_facts()).scope(placed_tasks(ready));
  shares_for_gpus_ =
      by_us && settings_.scope == Scope::node && facts_.local_tasks > 1 && !is_in_container(ready);
  if (!network_.is_private()) {
    CIB_CHECK(place_in_nodes_network(living));
    return claim_vfs();
  }
  CIB_TRY(const auto turn, network_.claims_turn());
  CIB_CHECK(place(living));
  const auto wishes = wishes_of(ready);
  CIB_CHECK(network_.check_addresses(wishes));
  CIB_CHECK(note_tasks());
  CIB_CHECK(note_placed());
  return network_.claim(wishes);
}

Status Attachment::place_in_nodes_network(const std::vector<unsigned>& living) {
  std::unique_ptr<ClaimsTurn> turn;
  if (gives_whole_devices()) {
    CIB_TRY(turn, network_.claims_turn());
  }
  CIB_CHECK(place(living));
  CIB_CHECK(note_tasks());
  return note_placed();
}

bool Attachment::gives_whole_devices() const { return is_allowed(Mode::device, site_); }

// Who wants a whole device looks for steps that use it, and these tasks do not yet.
Status Attachment::note_placed() {
  if (!gives_whole_devices()) return {};
  std::set<std::string> names;
  for (const Task& task : task_)
    for (const Port& port : placed_ports(task)) names.insert(port.name());
  return journal_.write(Mark::done,
                        PortsNoted{std::string(mode_name(settings_.mode)),
                                   join(std::vector<std::string>(names.begin(), names.end()), ",")});
}

// A plugin that ours comes before makes its container of what ours has mounted for one of the tasks.
Status Attachment::check_orders(const std::vector<unsigned>& ready) const {
  for (const unsigned id : ready) {
    const Task& task = task_[id];
    if (!task.container_option.empty() && task.facts.container.id.empty())
      return error(Errc::bad_config, explain_order(task.container_option));
  }
  return {};
}

std::vector<PlacedTask> Attachment::placed_tasks(const std::vector<unsigned>& ids) const {
  std::vector<PlacedTask> tasks;
  for (const unsigned id : ids) tasks.push_back({id, task_[id].origin, task_[id].facts});
  return tasks;
}

bool Attachment::is_in_container(const std::vector<unsigned>& tasks) const {
  return std::any_of(tasks.begin(), tasks.end(),
                     [&](unsigned id) { return !task_[id].facts.container.id.empty(); });
}

StepPlacement Attachment::placement(const NodeFacts& node) {
  return StepPlacement({.facts = facts_,
                        .settings = settings_,
                        .site = site_,
                        .mode = *mode_,
                        .node_facts = node,
                        .owner = owner_,
                        .site_fabric = site_fabric_,
                        .has_own_network = network_.is_private(),
                        .may_have_had_own_network = network_may_be_private_},
                       node_, tasks_);
}

Status Attachment::place(const std::vector<unsigned>& living) {
  std::vector<unsigned> all(task_.size());
  std::iota(all.begin(), all.end(), 0U);
  const NodeFacts node = node_facts();
  CIB_TRY(auto placed, placement(node).place(placed_tasks(living), placed_tasks(all)));
  assignment_ = std::move(placed.assignment);
  for (const unsigned id : living) {
    task_[id].ports = std::move(placed.ports[id]);
    task_[id].choice = std::move(placed.choices[id]);
  }
  return {};
}

// Of a list that is too long to be handed over only this node is known; its answer is then its own.
Status Attachment::choose_fabric(const std::vector<unsigned>& ready) {
  if (ready.empty()) return {};
  std::vector<std::string> nodes = {facts_.node_name};
  if (auto all = step_nodes(); all.ok() || all.error().code != Errc::unsupported) {
    CIB_TRY(nodes, std::move(all));
  }
  auto fabric = fabric_of_step(settings_.fabric, site_, nodes);
  if (!fabric) return std::move(fabric).error().in(facts_.node_name);
  site_fabric_ = std::move(*fabric);
  return {};
}

// As the first task that has reported says. One that Slurm has not started is alone on its node.
Result<std::vector<std::string>> Attachment::step_nodes() const {
  for (const Task& task : task_) {
    CIB_TRY(const std::string list, node_list_of(task));
    if (!list.empty()) return nodes_in_list(list);
  }
  return std::vector{facts_.node_name};
}

// Slurm's; empty when the task has none. Unsupported when it was too long to be handed over.
Result<std::string> Attachment::node_list_of(const Task& task) {
  const auto list = task.facts.user_variables.find(nodes_of_step);
  if (list == task.facts.user_variables.end()) return std::string();
  if (list->second.size() >= wire::longest_user_value)
    return error(Errc::unsupported, std::string(nodes_of_step) + " is too long");
  return list->second;
}

// A VF that its user has named is his alone, as in mode vf.
Status Attachment::claim_vfs() {
  auto ports = used_ports();
  std::erase_if(ports, [](const PlacedPort& placed) { return !placed.port.physfn || !placed.port.pci; });
  if (ports.empty()) return {};
  CIB_TRY(const auto turn, network_.claims_turn());
  for (const PlacedPort& placed : ports) {
    const Port& port = placed.port;
    if (!claimed_vfs_.insert(*port.pci).second) continue;
    if (auto status = actions_.run(Claim{port.pci->text(), owner_}); !status) {
      claimed_vfs_.erase(*port.pci);
      return std::move(status).error().in(facts_.node_name + ": " + port.name());
    }
  }
  return {};
}

Status Attachment::note_tasks() {
  for (unsigned id = 0; id < task_.size(); ++id)
    if (const TaskProcess& process = task_[id].origin.process; !process.pid.empty())
      CIB_CHECK(journal_.write(Mark::done, TaskNoted{id, process}));
  return {};
}

std::string Attachment::who(const Task& task) const {
  return facts_.container ? facts_.name() : "rank " + std::to_string(task.origin.rank);
}

std::vector<StepNetwork::Wish> Attachment::wishes_of(const std::vector<unsigned>& tasks) const {
  std::vector<StepNetwork::Wish> wishes;
  for (const unsigned id : tasks) wishes.push_back({id, who(task_[id]), placed_ports(task_[id])});
  return wishes;
}

Status Attachment::make_networks(const std::vector<unsigned>& tasks) {
  for (const unsigned id : tasks) {
    CIB_CHECK(make_network(task_[id], id));
    meanwhile_();
  }
  return {};
}

Status Attachment::make_network(Task& task, unsigned id) {
  const auto ports = placed_ports(task);
  if (auto status = network_.attach(id, ports); !status)
    return std::move(status).error().in("attach " + who(task));
  task.devices = network_.devices_of(id, ports);
  return relay_pmix(task);
}

// A PMIx server listens on the node's loopback, which a private network does not reach.
Status Attachment::relay_pmix(const Task& task) {
  const std::string rank = "rank " + std::to_string(task.origin.rank);
  std::set<TcpEndpoint> servers;
  for (const std::string& value : task.facts.pmix_servers) {
    auto endpoint = parse_pmix_server(value);
    if (!endpoint) return std::move(endpoint).error().in(rank + "'s PMIx server");
    servers.insert(*endpoint);
  }
  for (const TcpEndpoint& endpoint : servers)
    if (auto status = tasks_.relay(task.devices.front().netns, endpoint); !status)
      return std::move(status).error().in("relay PMIx for " + rank);
  return {};
}

std::vector<TcpEndpoint> Attachment::pmix_servers() const {
  std::set<TcpEndpoint> servers;
  for (const Task& task : task_)
    for (const std::string& value : task.facts.pmix_servers)
      if (auto endpoint = parse_pmix_server(value)) servers.insert(*endpoint);
  return {servers.begin(), servers.end()};
}

Status Attachment::await_carriers() {
  CIB_CHECK(network_.await_carriers(meanwhile_));
  for (unsigned id = 0; id < task_.size(); ++id)
    if (Task& task = task_[id]; !task.devices.empty())
      task.devices = network_.devices_of(id, placed_ports(task));
  return {};
}

Status Attachment::make_network_late(unsigned task) {
  {
    CIB_TRY(const auto turn, network_.claims_turn());
    const auto wish = wishes_of({task});
    CIB_CHECK(network_.check_addresses(wish));
    CIB_CHECK(network_.claim(wish));
  }
  CIB_CHECK(make_network(task_[task], task));
  return await_carriers();
}

Result<std::vector<PlacedPort>> Attachment::note_ports() {
  auto ports = used_ports();
  std::vector<std::string> names;
  for (const PlacedPort& placed : ports) names.push_back(placed.port.name());
  CIB_CHECK(journal_.write(Mark::done, PortsNoted{std::string(mode_name(settings_.mode)), join(names, ",")}));
  return ports;
}

Status Attachment::mount(unsigned id) {
  Task& task = task_[id];
  const auto doing = "attach " + who(task);
  if (!task.has_namespace) return error(Errc::bug, doing + ": no mount namespace of its own");
  const std::vector<Port> ports = shown_ports(task);
  auto status = task.facts.container.id.empty() ? mount_own(id, ports) : mount_in_container(id, ports);
  task.attached = status.ok();
  if (!status) (void)tasks_.unmount_devices(id);  // which may be there, and is not written down
  if (!status && status.error().code == Errc::stuck) quarantine(status.error().message());
  return status.ok() ? status : std::move(status).error().in(doing);
}

// A container that the tasks of the node share can have only one /dev/infiniband.
std::vector<Port> Attachment::shown_ports(const Task& task) const {
  if (settings_.scope != Scope::node) return ports_of(task);
  std::vector<Port> ports;
  for (const PlacedPort& placed : used_ports()) ports.push_back(placed.port);
  return ports;
}

Status Attachment::mount_own(unsigned id, const std::vector<Port>& ports) {
  const DevicesMounted mounted{id, join_names(ports)};
  CIB_CHECK(journal_.write(Mark::intent, mounted));
  CIB_CHECK(tasks_.mount_devices(id, ports, settings_.umad));
  return journal_.write(Mark::done, mounted);
}

Status Attachment::mount_in_container(unsigned id, const std::vector<Port>& ports) {
  const std::string& container = task_[id].facts.container.id;
  CIB_TRY(const bool may_show, containers_.enter(id, container, ports));
  if (auto status = prepare_container(id, ports, may_show); !status) {
    containers_.not_entered(id, container);
    return status;
  }
  return containers_.mount(id, container, ports, settings_.umad);
}

// What has to be there before the devices are.
Status Attachment::prepare_container(unsigned id, const std::vector<Port>& ports, bool may_show) {
  if (may_show && settings_.inject == Inject::providers)
    CIB_CHECK(images_.lend(id, task_[id].facts.container.id, image_needs_of(id)));
  CIB_TRY(const auto cgroups, tasks_.device_cgroups_of(id, ports, settings_.umad));
  for (const WidenDeviceCgroup& cgroup : cgroups) CIB_CHECK(actions_.run(cgroup));
  return {};
}

bool Attachment::wants_folder(unsigned id) const {
  const bool wanted =
      settings_.folder == Folder::yes || (settings_.folder == Folder::auto_ && facts_.reads_folder);
  return wanted && task_[id].attached && task_[id].facts.container.id.empty();
}

// They have the /sys of the mount namespace that they are made in, which is one for a user's on the node.
bool Attachment::shares_sysfs_in_podman() const {
  return network_.is_private() && is_exclusive() && settings_.scope != Scope::node && facts_.local_tasks > 1;
}

Result<std::string> Attachment::make_folder(unsigned id, const std::vector<EnvironmentChange>& env) {
  const std::string path = task_folder_path(state_.directory(), id);
  TaskFolder folder{.path = path,
                    .ports = shown_ports(task_[id]),
                    .umad = settings_.umad,
                    .files = task_folder_files(path, facts_.uid, env)};
  auto status = actions_.run(MakeTaskFolder{path});
  if (status.ok()) status = tasks_.fill_folder(id, folder);
  if (status.ok()) return path;
  const Action made = MakeTaskFolder{path};
  (void)actions_.give_back([&](const Action& action) { return action == made; });  // else at the end
  return std::move(status).error();
}

// ---- give back
// -----------------------------------------------------------------------------------------------

void Attachment::undo_attach() {
  for (unsigned id = 0; id < task_.size(); ++id) {
    if (!task_[id].attached) continue;
    if (tasks_.unmount_devices(id).ok()) unmounted(id);
    task_[id].attached = false;
  }
  if (network_.is_private()) (void)network_.give_interfaces_back();  // what fails is tried again at the end
}

void Attachment::unmounted(unsigned id) {
  if (containers_.has(id)) return containers_.unmounted(id);
  (void)journal_.write(Mark::undone, DevicesMounted{id, ""});
}

std::vector<unsigned> Attachment::alone_in_container() const {
  std::map<unsigned, std::string> in_containers;
  for (unsigned id = 0; id < task_.size(); ++id)
    if (const std::string& container = task_[id].facts.container.id; !container.empty())
      in_containers[id] = container;
  return containers_.alone(in_containers);
}

void Attachment::quarantine(const std::string& process) {
  if (journal_.is_open()) (void)journal_.write(Mark::intent, Quarantined{process});
}

// The journal goes last, and stays when something could not be given back: then the reaper tries again.
std::vector<std::string> Attachment::give_everything_back() {
  std::vector<std::string> lines;
  containers_.leave();
  tasks_.end_relay();
  if (journal_.is_open())
    for (const std::string& failed : network_.give_all_back())
      lines.push_back(facts_.node_name + ": " + title_of(facts_.name()) + ": could not give back " + failed +
                      "; it stays out of use, 'container-ib reap' on the node tries again");
  if (lines.empty()) journal_.close();
  return lines;
}

// ---- what a task has
// -----------------------------------------------------------------------------------------------

std::vector<std::string> Attachment::asks_for() const {
  std::vector<std::string> names = names_of_site_variables(rules_);
  const auto& known = environment_inputs();
  std::erase_if(names, [&](const std::string& name) {
    return std::find(known.begin(), known.end(), name) != known.end();
  });
  return names;
}

EnvironmentInputs Attachment::environment_of(unsigned id, std::vector<std::string>& notes) const {
  const Task& task = task_[id];
  EnvironmentInputs in = inputs_of_task(settings_, inventory_, assignment_, task.ports, rules_);
  in.private_user_namespaces = task.facts.user_namespace && facts_.local_tasks > 1;
  for (const Port& port : shown_ports(task)) in.shown_ports.push_back(port.name());
  if (const auto* lent = images_.lent_to(task.facts.container.id)) in.lent_providers = lent->providers;
  if (task.facts.container.id.empty() && !facts_.container) in.nccl_topology = nccl_topology_of(site_);
  in.user = task.facts.user_variables;
  if (!network_.is_private()) return in;
  // Where a task sees only its own ports, libraries that want one list for all ranks of a node get these.
  if (settings_.mode == Mode::vf) in.pkey_index.reset();  // a VF's table is its own
  use_ports(in, ports_of(task), ports_beside(task));
  // What a program needs that opens sockets of its own: its interfaces and addresses, and where its peers
  // are.
  std::vector<std::string> netdevs, addresses;
  for (const NetworkDevice& device : task.devices) {
    if (std::find(netdevs.begin(), netdevs.end(), device.netdev) != netdevs.end()) continue;
    netdevs.push_back(device.netdev);
    if (!device.address.empty()) addresses.push_back(device.address);
  }
  in.netdev = join(netdevs, ",");
  in.address = join(addresses, ",");
  if (!network_.uses_pool()) return in;
  auto peers = peers_of(task);
  if (peers)
    in.peers = std::move(*peers);
  else
    notes.push_back(facts_.node_name + ": no CONTAINER_IB_PEERS: " + peers.error().message());
  return in;
}

Result<std::string> Attachment::peers_of(const Task& task) const {
  CIB_TRY(const std::string nodes, node_list_of(task));
  if (nodes.empty()) return nodes;
  return addresses_of_nodes(site_.addresses, nodes, wire::longest_value);
}

ImageNeeds Attachment::image_needs_of(unsigned id) const {
  const Task& task = task_[id];
  ImageNeeds needs;
  for (const Port& port : ports_of(task)) needs.hcas.push_back({port.device, port.driver});
  if (const auto found = task.facts.user_variables.find(pmix_version_variable);
      found != task.facts.user_variables.end())
    needs.pmix_server = found->second;
  return needs;
}

std::vector<std::string> Attachment::faults_of_image(unsigned id) {
  const std::string& container = task_[id].facts.container.id;
  return container.empty() ? std::vector<std::string>() : images_.faults(id, container, image_needs_of(id));
}

std::string Attachment::about_lending(unsigned id) const {
  if (settings_.inject == Inject::no) return {};
  const std::string& container = task_[id].facts.container.id;
  return container.empty() ? "inject=providers is for containers of a plugin, and this task is in none"
                           : images_.about_lending(container);
}

std::string Attachment::differs_inside(unsigned id, const std::vector<std::string>& devices) const {
  const Task& task = task_[id];
  if (!task.attached) return {};
  std::set<std::string> own, allowed;
  for (const Port& port : ports_of(task)) own.insert(port.device);
  allowed = own;
  if (settings_.scope == Scope::node)
    for (const PlacedPort& placed : used_ports()) allowed.insert(placed.port.device);
  return explain_inside(devices, own, allowed);
}

std::vector<std::string> Attachment::choices() const {
  std::vector<std::string> lines;
  if (shares_for_gpus_)
    lines.push_back(
        facts_.node_name +
        ": its tasks see the HCAs of all of them, as they have GPUs and NCCL needs it; scope=task would "
        "show each its own");
  for (const Task& task : task_)
    if (!task.choice.empty()) lines.push_back(task.choice);
  return lines;
}

std::vector<Port> Attachment::placed_ports(const Task& task) const {
  std::vector<Port> ports;
  for (const std::size_t index : task.ports) ports.push_back(inventory_.ports[index]);
  return ports;
}

// What the task opens: of a PF that it was placed on, its own VF.
std::vector<Port> Attachment::ports_of(const Task& task) const {
  if (task.devices.empty()) return placed_ports(task);
  std::vector<Port> ports;
  for (const NetworkDevice& device : task.devices) ports.push_back(device.port);
  return ports;
}

std::vector<PlacedPort> Attachment::used_ports() const {
  std::vector<PlacedPort> used;
  const auto add = [&](PlacedPort placed) {
    const auto same = [&](const PlacedPort& other) {
      return other.port.name() == placed.port.name() && other.netns == placed.netns;
    };
    if (std::none_of(used.begin(), used.end(), same)) used.push_back(std::move(placed));
  };
  for (const Task& task : task_) {
    for (const NetworkDevice& device : task.devices) add({device.port, device.netns});
    if (!network_.is_private())
      for (const Port& port : placed_ports(task)) add({port});
  }
  std::sort(used.begin(), used.end(), [](const PlacedPort& a, const PlacedPort& b) {
    return std::pair(a.port.pci, a.port.number) < std::pair(b.port.pci, b.port.number);
  });
  return used;
}

std::vector<Port> Attachment::ports_beside(const Task& task) const {
  std::vector<Port> ports;
  for (const PlacedPort& placed : used_ports())
    if (placed.netns == task.devices.front().netns) ports.push_back(placed.port);
  return ports;
}

}  // namespace cib
