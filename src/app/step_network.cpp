#include "app/step_network.hpp"

#include <algorithm>

#include "container_ib/address_pool.hpp"

namespace cib {

namespace {

const std::string address_claim = "address-";

// The one of that port, or of the VF of it that is there instead.
std::vector<NetworkDevice>::const_iterator find(const std::vector<NetworkDevice>& devices, const Port& port) {
  return std::find_if(devices.begin(), devices.end(), [&](const NetworkDevice& device) {
    return device.port.name() == port.name() || (device.port.physfn && device.port.physfn == port.pci);
  });
}

}  // namespace

void StepNetwork::begin(const ModeUnit& mode, InterfaceFacts facts, const std::string& directory) {
  directory_ = directory;
  facts.run = [this](const Action& action) { return actions_.run(action); };
  step_.emplace(std::move(facts));
  interfaces_ = mode.interfaces(*step_);
}

NetnsFile StepNetwork::netns_of(unsigned task) const {
  return directory_ + "/netns-" + (step_->settings.scope == Scope::node ? "node" : std::to_string(task));
}

Result<NetnsFile> StepNetwork::join(unsigned task) {
  NetnsFile file = netns_of(task);
  if (devices_.contains(file)) return file;
  const auto& process = step_->network_of;
  CIB_CHECK(
      actions_.run(process ? Action(PinNetns{file, process->pid, process->start}) : Action(MakeNetns{file})));
  devices_[file];
  return file;
}

StepNetwork::Place StepNetwork::place_of(const NetnsFile& netns, const Port& port) const {
  return {netns, interfaces_->one_for_all_ports() ? "all" : port.name()};
}

std::set<StepNetwork::Place> StepNetwork::not_claimed_of(const std::vector<Wish>& wishes) const {
  std::set<Place> places;
  for (const Wish& wish : wishes)
    for (const Port& port : wish.ports)
      if (Place place = place_of(netns_of(wish.task), port); !claimed_.contains(place))
        places.insert(std::move(place));
  return places;
}

bool StepNetwork::uses_pool() const {
  return is_private() && interfaces_->uses_pool() && !step_->site.addresses.pool.empty();
}

Status StepNetwork::check_addresses(const std::vector<Wish>& wishes) {
  if (!uses_pool()) return {};
  CIB_TRY(const AddressPool pool, AddressPool::of_node(step_->site.addresses, step_->node_name));
  CIB_TRY(const auto claims, step_->node.claims());
  const auto taken =
      static_cast<std::size_t>(std::count_if(claims.begin(), claims.end(), [](const auto& claim) {
        return claim.first.starts_with(address_claim);
      }));
  const std::size_t needed = not_claimed_of(wishes).size(), size = pool.size();
  if (needed + taken <= size) return {};
  const std::string text =
      step_->node_name + ": " + std::to_string(needed) +
      (needed == 1 ? " interface needs an address" : " interfaces need an address each") + ", and ";
  if (needed > size)
    return error(Errc::unusable, text + "this node has " + std::to_string(size) +
                                     "; addresses.per_node in the site's file could be larger");
  return error(Errc::in_use, text + std::to_string(taken) + " of this node's " + std::to_string(size) +
                                 " are in use; wait=SECONDS waits for those that other steps have");
}

Status StepNetwork::claim(const std::vector<Wish>& wishes) {
  for (const Wish& wish : wishes) {
    const std::string doing = "attach " + wish.who;
    for (const Port& port : wish.ports) {
      const Place place = place_of(netns_of(wish.task), port);
      if (claimed_.contains(place)) continue;
      if (auto status = interfaces_->claim(place.first, port); !status)
        return std::move(status).error().in(doing);
      auto address = claim_address();
      if (!address) return std::move(address).error().in(doing);
      claimed_.emplace(place, std::move(*address));
    }
  }
  return {};
}

Status StepNetwork::attach(unsigned task, const std::vector<Port>& ports) {
  const NetnsFile netns = netns_of(task);
  auto& present = devices_[netns];
  for (const Port& port : ports) {
    if (find(present, port) != present.end()) continue;
    CIB_TRY(auto device, another(netns, present, port));
    present.push_back(std::move(device));
  }
  return {};
}

std::vector<NetworkDevice> StepNetwork::devices_of(unsigned task, const std::vector<Port>& ports) const {
  std::vector<NetworkDevice> devices;
  const auto present = devices_.find(netns_of(task));
  if (present == devices_.end()) return devices;
  for (const Port& port : ports)
    if (const auto found = find(present->second, port); found != present->second.end())
      devices.push_back(*found);
  return devices;
}

// By the one interface that is there already, or by one of its own.
Result<NetworkDevice> StepNetwork::another(const NetnsFile& netns, const std::vector<NetworkDevice>& present,
                                           const Port& port) {
  if (interfaces_->one_for_all_ports() && !present.empty()) {
    NetworkDevice same = present.front();
    same.port = port;
    return same;
  }
  CIB_TRY(const std::string netdev, free_name(netns, present, interfaces_->name_prefix(port)));
  return add(netns, netdev, port);
}

// In a namespace of ours there is nothing but what we have made.
Result<std::string> StepNetwork::free_name(const NetnsFile& netns, const std::vector<NetworkDevice>& present,
                                           const std::string& prefix) const {
  std::vector<std::string> taken;
  if (step_->network_of) {
    CIB_TRY(taken, step_->node.netdevs_in(netns));
  }
  for (const NetworkDevice& device : present) taken.push_back(device.netdev);
  std::size_t n = 0;
  while (std::find(taken.begin(), taken.end(), prefix + std::to_string(n)) != taken.end()) ++n;
  return prefix + std::to_string(n);
}

Result<NetworkDevice> StepNetwork::add(const NetnsFile& netns, const std::string& netdev, const Port& port) {
  const auto claimed = claimed_.find(place_of(netns, port));
  if (claimed == claimed_.end()) return error(Errc::bug, port.name() + " was not claimed");
  CIB_TRY(NetworkDevice device, interfaces_->add(netns, netdev, port));
  if (device.address.empty()) device.address = claimed->second;
  CIB_CHECK(actions_.run(
      RaiseLink{.netns = netns,
                .name = netdev,
                .mtu = step_->settings.mtu,
                .address = device.address.empty() ? std::nullopt : std::optional(device.address)}));
  return device;
}

// The lowest slot of this node's part of the pool that nobody has.
Result<std::string> StepNetwork::claim_address() {
  if (!uses_pool()) return std::string();
  CIB_TRY(const AddressPool pool, AddressPool::of_node(step_->site.addresses, step_->node_name));
  CIB_TRY(const auto taken, step_->node.claims());
  for (unsigned slot = 0; slot < pool.size(); ++slot) {
    const std::string name = address_claim + std::to_string(slot);
    if (taken.contains(name)) continue;
    const auto status = actions_.run(Claim{name, step_->owner + "#" + std::to_string(slot)});
    if (status.ok()) return pool.address(slot);
    if (status.error().code != Errc::in_use) return status.error();
  }
  return error(Errc::unusable, step_->node_name + ": no address of this node is free any more");
}

Status StepNetwork::await_carriers(const std::function<void()>& meanwhile) {
  for (auto& [netns, devices] : devices_)
    for (NetworkDevice& device : devices) {
      auto status = await_carrier(device);
      if (status.ok()) status = interfaces_->settle(device);
      meanwhile();
      if (!status) return status;
    }
  return {};
}

Status StepNetwork::await_carrier(const NetworkDevice& device) const {
  const unsigned timeout_s = step_->site.carrier_timeout_s;
  const auto status =
      step_->node.await_carrier(device.netns, device.netdev, static_cast<int>(timeout_s) * 1000);
  if (status.ok() || status.error().code != Errc::timed_out) return status;
  return error(Errc::timed_out, step_->node_name + ": " + device.netdev + " on " + device.port.name() +
                                    " has no carrier after " + std::to_string(timeout_s) +
                                    " s: " + interfaces_->why_no_carrier(device.port));
}

std::vector<std::string> StepNetwork::give_interfaces_back() {
  for (auto& [netns, devices] : devices_) devices.clear();
  claimed_.clear();
  return actions_.give_back([](const Action& action) {
    return !std::holds_alternative<MakeNetns>(action) && !std::holds_alternative<PinNetns>(action);
  });
}

std::vector<std::string> StepNetwork::give_all_back() {
  devices_.clear();
  claimed_.clear();
  return actions_.give_back([](const Action&) { return true; });
}

}  // namespace cib
