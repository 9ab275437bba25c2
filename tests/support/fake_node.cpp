#include "support/fake_node.hpp"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "container_ib/ipv4.hpp"
#include "container_ib/text.hpp"

namespace cib::test {

Inventory FakeNode::two_numa_nodes() {
  Inventory node;
  for (unsigned n = 0; n < 2; ++n) {
    node.numa_nodes.push_back({.os_index = n, .package = n, .cpus = CpuSet({n == 0 ? 0x0fU : 0xf0U})});
    Port port;
    port.device = "mlx5_" + std::to_string(n);
    port.pci = PciAddress{0, static_cast<std::uint8_t>(0x20 + n), 0, 0};
    port.driver = "mlx5_core";
    port.numa = {n};
    port.state = PortState::active;
    port.phys_state = PhysState::link_up;
    port.link_layer = LinkLayer::infiniband;
    port.rate_gbps = 200;
    port.lid = 10 + n;
    port.sm_lid = 1;
    port.node_guid = 0x100 + n;
    port.sys_image_guid = 0x100 + n;
    port.subnet_prefix = 0xfe80000000000000U;
    port.pkeys = {0xffff};
    node.ports.push_back(port);
  }
  node.distances = {{10, 21}, {21, 10}};
  return node;
}

void FakeNode::add_devices() {
  for (const Port& port : node.ports)
    vfs.push_back({.identity = {.pci = *port.pci, .physfn = *port.pci, .index = 0, .owner = ""},
                   .netdev = "ib" + std::to_string(vfs.size()),
                   .rdma = port.device,
                   .addresses = {"10.20.0." + std::to_string(vfs.size() + 1) + "/16"},
                   .up = true});
}

void FakeNode::be_ethernet() {
  for (Port& port : node.ports) {
    port.link_layer = LinkLayer::ethernet;
    port.lid = port.sm_lid = 0;
    port.subnet_prefix.reset();
    port.pkeys.clear();
    port.netdevs = {"net-" + port.device};
    port.gids = {{.index = 3, .text = gid_of_ipv4(0x0a3c0001), .type = GidType::roce_v2}};
  }
}

// The one place where the fake world changes, so the one place where faults happen.
template <class Effect>
Status FakeNode::change(const char* what, Effect effect) {
  const bool here = ++changes_ == fault_at_;
  if (here && fault_ == Fault::fails) return error(Errc::kernel, std::string("injected: ") + what, EIO);
  if (here && fault_ == Fault::agent_dies_before) {
    agent_alive = false;
    throw AgentDied{};
  }
  effect();
  if (here && fault_ == Fault::fails_after_effect)
    return error(Errc::kernel, std::string("injected after: ") + what, EIO);
  if (here && fault_ == Fault::agent_dies_after) {
    agent_alive = false;
    throw AgentDied{};
  }
  return {};
}

template <class Effect>
Status FakeNode::write_state(const char* what, Effect effect) {
  if (!full_from_ || changes_ + 1 < *full_from_) return change(what, effect);
  ++changes_;
  return error(Errc::kernel, what, ENOSPC);
}

Result<SiteConfig> FakeNode::site_config(const std::string&) {
  if (site_error) return *site_error;
  return site;
}

Status FakeNode::give_network(unsigned task, const NetnsFile& netns) {
  if (!netns.empty() && !network_namespaces.contains(netns))
    throw std::logic_error("task " + std::to_string(task) + " is sent to " + netns +
                           ", which does not exist");
  return change("give network", [&] {
    tasks_[task].knows_its_network = true;
    tasks_[task].netns = netns;
  });
}

Status FakeNode::relay(const NetnsFile& netns, const TcpEndpoint& endpoint) {
  return change("relay", [&] { relayed.insert({netns, endpoint}); });
}

Result<LentLibraries> FakeNode::lend_providers(unsigned, const std::vector<std::string>& providers,
                                               const ImageFacts& of) {
  CIB_CHECK(check_can_borrow(of, glibc));
  return LentLibraries{.providers = providers, .files = {"libibverbs.so.1"}, .suffix = "rdmav34"};
}

Status FakeNode::mount_devices(unsigned task, const std::vector<Port>& ports, bool) {
  if (!tasks_[task].alive) return error(Errc::ended, "the task has ended");
  if (const auto found = unmountable.find(task); found != unmountable.end())
    return error(found->second, "injected: mount");
  return change("mount", [&] {
    for (const Port& port : ports) tasks_[task].devices.insert(port.device);
  });
}

Status FakeNode::adopt_devices(unsigned task, const std::vector<Port>&, bool) {
  if (!tasks_[task].alive) return error(Errc::ended, "the task has ended");
  adopted.insert(task);
  return {};
}

Status FakeNode::unmount_devices(unsigned task) {
  adopted.erase(task);
  return change("unmount", [&] { tasks_[task].devices.clear(); });
}

Status FakeNode::fill_folder(unsigned task, const TaskFolder& folder) {
  if (!tasks_[task].alive) return error(Errc::ended, "the task has ended");
  if (!folders.contains(folder.path)) throw std::logic_error("no folder " + folder.path + " to fill");
  return change("fill folder", [&] { folders[folder.path] = folder; });
}

Status FakeNode::raise_memlock(unsigned task, std::optional<std::uint64_t> cap) {
  if (!memlock_may_be_raised) return error(Errc::kernel, "raise memlock", EPERM);
  return change("memlock", [&] { tasks_[task].memlock = cap.value_or(0); });
}

void FakeNode::answer(unsigned task, const std::string& text) {
  (void)change("answer", [&] {
    if (!tasks_[task].alive) return;
    if (tasks_[task].answer) throw std::logic_error("task " + std::to_string(task) + " was answered twice");
    tasks_[task].answer = text;
  });
}

void FakeNode::grant(unsigned task, const std::vector<EnvironmentChange>& set,
                     const std::vector<std::string>& lines, bool) {
  tasks_[task].granted = tasks_[task].devices;
  for (const auto& [path, folder] : folders)
    tasks_[task].folder_was_whole |=
        !folder.path.empty() && std::any_of(set.begin(), set.end(), [&](const auto& one) {
          return one.name == cdi_folder_variable && one.value == cdi_folder_of(path);
        });
  answer(task, "granted");
  for (const auto& [name, value] : set) tasks_[task].environment[name] = value;
  tasks_[task].lines = lines;
}

void FakeNode::decline(unsigned task, const std::string& why) { answer(task, "declined: " + why); }
void FakeNode::refuse(unsigned task, const std::string& why) { answer(task, "refused: " + why); }

std::vector<std::string> FakeNode::kill_survivors(const std::vector<unsigned>&) {
  std::vector<std::string> left;
  for (unsigned id = 0; id < tasks_.size(); ++id) {
    if (unkillable.contains(std::to_string(id)) && tasks_[id].alive)
      left.push_back("pid " + std::to_string(1000 + id) + " (stuck)");
    else
      tasks_[id].alive = false;
  }
  return left;
}

Status FakeNode::create(const std::string& step, const Record& first) {
  if (journals.contains(step)) return error(Errc::in_use, step + " is not given back");
  return write_state("create journal", [&] {
    own_step_ = step;
    journals[step] = {first};
  });
}

Status FakeNode::append(const Record& record) {
  return write_state("append to journal", [&] { journals[own_step_].push_back(record); });
}

Status FakeNode::remove() {
  return change("remove journal", [&] { journals.erase(own_step_); });
}

Result<std::vector<JournaledStep>> FakeNode::steps() {
  std::vector<JournaledStep> steps;
  for (const auto& [name, records] : journals) steps.push_back({name, records, agent_alive});
  for (const auto& [name, why] : unreadable) steps.push_back({name, why});
  return steps;
}

// Pids: 1 slurmstepd, 2 the agent, 3 the relay, 1000 + id the tasks.
bool FakeNode::is_alive(const JournaledProcess& process) {
  if (process.pid == "1") return stepd_alive;
  if (process.pid == "2") return agent_alive;
  if (process.pid == "3") return relay_alive;
  for (unsigned id = 0; id < tasks_.size(); ++id)
    if (process.pid == std::to_string(1000 + id)) return tasks_[id].alive;
  return false;
}

std::vector<std::string> FakeNode::kill(const std::vector<JournaledProcess>& processes) {
  std::vector<std::string> left;
  for (const JournaledProcess& process : processes)
    for (unsigned id = 0; id < tasks_.size(); ++id) {
      if (process.pid != std::to_string(1000 + id) || !tasks_[id].alive) continue;
      if (unkillable.contains(std::to_string(id)))
        left.push_back("pid " + process.pid + " (stuck)");
      else
        tasks_[id].alive = false;
    }
  return left;
}

Status FakeNode::exclusively(const std::string& step, const std::function<void(const JournaledStep&)>& work) {
  std::exchange(another_reaper, [] {})();
  const auto found = journals.find(step);
  if (found != journals.end()) work({step, found->second, agent_alive});
  if (const auto why = unreadable.find(step); why != unreadable.end()) work({step, why->second});
  return {};
}

Result<std::string> FakeNode::bury(const std::string& step) {
  CIB_CHECK(change("remove a dead step's journal", [&] {
    journals.erase(step);
    unreadable.erase(step);
  }));
  return "/state/died/" + step;
}

Status FakeNode::forget(const std::string& step) {
  return change("forget a journal", [&] { journals.erase(step); });
}

Status FakeNode::note(const std::string& step, const Record& record) {
  return write_state("note", [&] { journals[step].push_back(record); });
}

FakeTask* FakeNode::task_of(const JournaledProcess& process) {
  for (unsigned id = 0; id < tasks_.size(); ++id)
    if (process.pid == std::to_string(1000 + id)) return &tasks_[id];
  return nullptr;
}

Result<std::vector<ContainerMount>> FakeNode::device_mounts_of(const JournaledProcess& process,
                                                               const std::string&) {
  if (!turn_taken_) throw std::logic_error("looked at the container out of turn");
  const FakeTask* task = task_of(process);
  if (task == nullptr || !task->alive || task->devices.empty()) return std::vector<ContainerMount>();
  return std::vector<ContainerMount>{{"/dev/infiniband", "0:57"}};
}

Status FakeNode::unmount_devices(const JournaledProcess& process, const std::string&,
                                 const std::vector<ContainerMount>&) {
  if (turn_taken_) throw std::logic_error("who waits for a container's file systems has the turn");
  return change("unmount from outside", [&] {
    if (FakeTask* task = task_of(process)) task->devices.clear();
  });
}

Status FakeNode::verify_devices(const JournaledProcess& task, const std::vector<Port>& ports) {
  for (unsigned id = 0; id < tasks_.size(); ++id)
    for (const Port& port : ports)
      if (task.pid == std::to_string(1000 + id) && !tasks_[id].devices.contains(port.device))
        return error(Errc::not_found, "it does not see " + port.name());
  return {};
}

void FakeNode::add_vfs(unsigned for_each_pf) {
  const auto pfs = node.ports;
  unsigned number = 2;
  for (const Port& pf : pfs)
    for (unsigned index = 0; index < for_each_pf; ++index, ++number) {
      PciAddress pci = *pf.pci;
      pci.function = static_cast<std::uint8_t>(index + 1);
      Port port = pf;
      port.device = "mlx5_" + std::to_string(number);
      port.pci = pci;
      port.physfn = pf.pci;
      port.state = PortState::down;
      node.ports.push_back(port);
      VfSettings settings;
      settings.node_guid = settings.port_guid = 0;
      settings.link_state = VfLinkState::follow;
      vfs.push_back({{.pci = pci, .physfn = *pf.pci, .index = index, .owner = ""},
                     "ib" + std::to_string(number),
                     port.device,
                     settings,
                     "",
                     ""});
    }
}

Result<NodeCounters> FakeNode::counters(const std::vector<PlacedPort>& ports) {
  NodeCounters sum = now;
  for (const PlacedPort& placed : ports)
    if (placed.port.physfn) sum.verbs_sent += verbs_of_each_vf;
  return sum;
}

Result<VfsOfPf> FakeNode::vfs_of(const Port& pf) {
  if (const auto why = unanswering_pfs.find(pf.device); why != unanswering_pfs.end())
    return error(Errc::not_found, why->second);
  VfsOfPf of_pf;
  for (const FakeVf& vf : vfs) {
    if (vf.identity.physfn != *pf.pci) continue;
    if (claimed.contains(vf.identity.pci.text()))
      ++of_pf.claimed;
    else if (vf.rdma_in.empty() && vf.netdev_in.empty())
      of_pf.free.push_back(
          {.identity = vf.identity,
           .netdev = vf.netdev,
           .rdma = vf.rdma,
           .settings = vf.settings,
           .has_guids = pf.link_layer == LinkLayer::ethernet || vf.settings.port_guid.value_or(0) != 0});
  }
  return of_pf;
}

Result<WholeDevice> FakeNode::whole_device(const Port& port, const std::string&) {
  if (const auto why = not_whole.find(port.device); why != not_whole.end()) return why->second;
  for (const FakeVf& device : vfs)
    if (device.identity.pci == *port.pci && device.rdma_in.empty() && device.netdev_in.empty())
      return WholeDevice{.netdev = device.netdev,
                         .rdma = device.rdma,
                         .addresses = device.addresses,
                         .mtu = 2044,
                         .up = device.up};
  return error(Errc::unusable, "has no network device");
}

Result<std::vector<ContainerUse>> FakeNode::others_in_container(const std::string&, const std::string&) {
  return in_container;
}

Result<std::string> FakeNode::rdma_device(const PciAddress& pci, const NetnsFile& netns) {
  for (const FakeVf& vf : vfs)
    if (vf.identity.pci == pci && vf.rdma_in == netns) return vf.rdma;
  return error(Errc::not_found, pci.text() + " has no RDMA device in '" + netns + "'");
}

// Each address is the next entry behind those that the port has of the node.
Result<Gid> FakeNode::await_gid(const Port&, const NetnsFile&, const std::string& address, int timeout_ms) {
  if (!makes_gids)
    return error(Errc::timed_out, "no GID of " + address + " in " + std::to_string(timeout_ms));
  const auto known = std::find(gids_of.begin(), gids_of.end(), address);
  const auto place = static_cast<unsigned>(known - gids_of.begin());
  if (known == gids_of.end()) gids_of.push_back(address);
  return Gid{.index = 4 + place, .text = gid_of_ipv4(*parse_ipv4(address)), .type = GidType::roce_v2};
}

Status FakeNode::await_carrier(const NetnsFile& netns, const std::string& netdev, int timeout_ms) {
  carrier_timeout_ms = timeout_ms;
  if (carrier && raised[netns].contains(netdev)) return {};
  return error(Errc::timed_out, netdev + " has no carrier");
}

FakeVf& FakeNode::vf(const VfIdentity& identity) {
  for (FakeVf& vf : vfs)
    if (vf.identity.pci == identity.pci) return vf;
  throw std::logic_error("no VF " + identity.pci.text());
}

namespace {

class FakeTurn final : public ClaimsTurn {
 public:
  explicit FakeTurn(bool& taken) : taken_(taken) { taken_ = true; }
  ~FakeTurn() override { taken_ = false; }

 private:
  bool& taken_;
};

}  // namespace

Result<std::unique_ptr<ClaimsTurn>> FakeNode::claims_turn() {
  if (turn_taken_) throw std::logic_error("a second turn at claiming");
  return std::unique_ptr<ClaimsTurn>(std::make_unique<FakeTurn>(turn_taken_));
}

// What an action changes, undoes and is seen by: a function for each of its kind.
struct FakeNode::Doing {
  FakeNode& node;

  void set(FakeVf& vf, const VfSettings& settings) const {
    if (settings.node_guid) vf.settings.node_guid = settings.node_guid;
    if (settings.port_guid) vf.settings.port_guid = settings.port_guid;
    if (settings.link_state) vf.settings.link_state = settings.link_state;
  }
  void must_exist(const NetnsFile& netns) const {
    if (!node.network_namespaces.contains(netns))
      throw std::logic_error("into " + netns + ", which does not exist");
  }
  bool is_owner(const VfIdentity& vf) const {
    const auto claim = node.claimed.find(vf.pci.text());
    return claim != node.claimed.end() && claim->second == vf.owner;
  }

  void apply(const MakeNetns& one) const { node.network_namespaces.insert(one.netns); }
  void apply(const MakeTaskFolder& one) const {
    if (!node.folders.try_emplace(one.folder).second) throw std::logic_error("twice " + one.folder);
  }
  void apply(const WidenDeviceCgroup& one) const { node.widened_cgroups.insert(one.directory); }
  void apply(const PinNetns& one) const { node.network_namespaces.insert(one.netns); }
  void apply(const Claim& one) const { node.claimed[one.name] = one.owner; }
  void apply(const KeepAddresses&) const {}
  void apply(const KeepVfNames&) const {}
  void apply(const SetVf& one) const {
    set(node.vf(one.vf), one.settings);
    node.vf(one.vf).netdev = "anew";
  }
  // As the kernel: a device that moves is made anew, with its interface at home under the next free name.
  void apply(const MoveRdmaDevice& one) const {
    must_exist(one.netns);
    node.vf(one.vf).rdma_in = one.netns;
    node.vf(one.vf).leave_home("anew");
  }
  void apply(const MoveVfLink& one) const {
    must_exist(one.netns);
    node.vf(one.vf).netdev_in = one.netns;
    node.vf(one.vf).leave_home(one.name);
  }
  void apply(const MakeIpoibChild& one) const {
    must_exist(one.netns);
    node.made_links[one.owner] = one.netns;
  }
  void apply(const MakeMacvlan& one) const {
    must_exist(one.netns);
    if (one.parent_netns) must_exist(*one.parent_netns);
    node.made_links[one.owner] = one.netns;
  }
  void apply(const MakeVxlan& one) const {
    must_exist(one.netns);
    node.made_links[one.owner] = one.netns;
  }
  void apply(const RaiseLink& one) const {
    must_exist(one.netns);
    node.raised[one.netns].insert(one.name);
  }

  void undo(const MakeNetns& one) const { node.network_namespaces.erase(one.netns); }
  void undo(const MakeTaskFolder& one) const { node.folders.erase(one.folder); }
  void undo(const WidenDeviceCgroup& one) const { node.widened_cgroups.erase(one.directory); }
  void undo(const PinNetns& one) const { node.network_namespaces.erase(one.netns); }
  void undo(const Claim& one) const {
    const auto claim = node.claimed.find(one.name);
    if (claim != node.claimed.end() && claim->second == one.owner) node.claimed.erase(claim);
  }
  void undo(const KeepAddresses& one) const {
    if (!is_owner(one.vf)) return;
    if (!node.vf(one.vf).netdev_in.empty()) throw std::logic_error("addresses for what is away");
    node.vf(one.vf).addresses.clear();
    for (const auto address : split(one.addresses, ','))
      if (!address.empty()) node.vf(one.vf).addresses.emplace_back(address);
    node.vf(one.vf).up = one.up;
  }
  void undo(const KeepVfNames& one) const {
    if (!is_owner(one.vf)) return;
    node.vf(one.vf).netdev = one.netdev;
    node.vf(one.vf).rdma = one.rdma;
  }
  void undo(const SetVf& one) const {
    if (is_owner(one.vf)) set(node.vf(one.vf), one.old);
  }
  void undo(const MoveRdmaDevice& one) const {
    if (!is_owner(one.vf)) return;
    node.vf(one.vf).rdma_in.clear();
    node.vf(one.vf).netdev_in.clear();
    node.vf(one.vf).netdev = "anew";
  }
  void undo(const MoveVfLink& one) const {
    if (is_owner(one.vf) && !one.remade) node.vf(one.vf).netdev_in.clear();
  }
  void undo(const MakeIpoibChild& one) const { node.made_links.erase(one.owner); }
  void undo(const MakeMacvlan& one) const { node.made_links.erase(one.owner); }
  void undo(const MakeVxlan& one) const { node.made_links.erase(one.owner); }
  void undo(const RaiseLink&) const {}

  bool holds(const MakeNetns& one) const { return node.network_namespaces.contains(one.netns); }
  bool holds(const MakeTaskFolder& one) const { return node.folders.contains(one.folder); }
  bool holds(const WidenDeviceCgroup& one) const { return node.widened_cgroups.contains(one.directory); }
  bool holds(const PinNetns& one) const { return node.network_namespaces.contains(one.netns); }
  bool holds(const Claim& one) const {
    const auto claim = node.claimed.find(one.name);
    return claim != node.claimed.end() && claim->second == one.owner;
  }
  bool holds(const KeepAddresses&) const { return true; }
  bool holds(const KeepVfNames&) const { return true; }
  bool holds(const SetVf& one) const { return node.vf(one.vf).settings.port_guid == one.settings.port_guid; }
  bool holds(const MoveRdmaDevice& one) const { return node.vf(one.vf).rdma_in == one.netns; }
  bool holds(const MoveVfLink& one) const {
    return node.vf(one.vf).netdev_in == one.netns && node.vf(one.vf).netdev == one.name;
  }
  bool holds(const MakeIpoibChild& one) const { return node.made_links[one.owner] == one.netns; }
  bool holds(const MakeMacvlan& one) const { return node.made_links[one.owner] == one.netns; }
  bool holds(const MakeVxlan& one) const { return node.made_links[one.owner] == one.netns; }
  bool holds(const RaiseLink& one) const { return node.raised[one.netns].contains(one.name); }
};

Status FakeNode::apply(const Action& action) {
  const auto* claim = std::get_if<Claim>(&action);
  if (claim != nullptr) {
    if (!turn_taken_) throw std::logic_error("claimed out of turn");
    if (claimed.contains(claim->name)) return error(Errc::in_use, claim->name + " is in use");
    if (const auto found = unclaimable.find(claim->name); found != unclaimable.end())
      return error(found->second, claim->name + " cannot be claimed");
  }
  if (no_folders && std::holds_alternative<MakeTaskFolder>(action)) return *no_folders;
  const std::string verb(verb_of(action));
  const auto effect = [&] { std::visit([&](const auto& one) { Doing{*this}.apply(one); }, action); };
  const bool is_a_file = claim != nullptr || std::holds_alternative<MakeNetns>(action) ||
                         std::holds_alternative<PinNetns>(action);
  return is_a_file ? write_state(verb.c_str(), effect) : change(verb.c_str(), effect);
}

Status FakeNode::undo(const Action& action) {
  const std::string verb(verb_of(action));
  return change(verb.c_str(), [&] { std::visit([&](const auto& one) { Doing{*this}.undo(one); }, action); });
}

Status FakeNode::verify(const Action& action) {
  const bool holds = std::visit([&](const auto& one) { return Doing{*this}.holds(one); }, action);
  return holds ? Status() : error(Errc::not_found, "it is otherwise");
}

}  // namespace cib::test
