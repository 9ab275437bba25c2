#include "app/step_network.hpp"

#include <algorithm>

#include "app/give_back.hpp"
#include "container_ib/address_pool.hpp"
#include "container_ib/vf_guid.hpp"

namespace cib {

namespace {

const std::string address_claim = "address-";

constexpr const char* how_to_switch =
    "; 'rdma system set netns exclusive|shared' switches it while there is no network namespace but the "
    "node's, the module option ib_core netns_mode=0|1 at boot";

bool has_guids(const VfSettings& settings) {
  return settings.node_guid.value_or(0) != 0 && settings.port_guid.value_or(0) != 0;
}

// What the VF has now of everything that is going to be set.
VfSettings old_of(const VfSettings& settings, const VfSettings& present) {
  VfSettings old;
  if (settings.link_state) old.link_state = present.link_state;
  if (settings.node_guid) old.node_guid = present.node_guid;
  if (settings.port_guid) old.port_guid = present.port_guid;
  if (settings.vlan || settings.qos) old.vlan = present.vlan, old.qos = present.qos;
  if (settings.min_tx_mbps || settings.max_tx_mbps)
    old.min_tx_mbps = present.min_tx_mbps, old.max_tx_mbps = present.max_tx_mbps;
  if (settings.spoof_check) old.spoof_check = present.spoof_check;
  if (settings.trust) old.trust = present.trust;
  return old;
}

}  // namespace

bool may_be_given(const FreeVf& vf, const SiteConfig& site) {
  return site.vf.generate_guids || has_guids(vf.settings);
}

bool is_private(Mode mode) { return mode == Mode::vf || mode == Mode::ipoib; }

Status StepNetwork::begin(const Settings& settings, const SiteConfig& site, const std::string& node_name,
                          const std::string& owner, const std::string& directory) {
  settings_ = settings;
  site_ = site;
  node_name_ = node_name;
  owner_ = owner;
  directory_ = directory;
  private_ = cib::is_private(settings.mode);
  if (!private_) return {};
  CIB_TRY(exclusive_, node_.rdma_is_exclusive());
  if (shares_vfs() && !site.vf.shared_rdma)
    return error(Errc::unsupported,
                 node_name +
                     ": mode vf needs the RDMA subsystem's exclusive mode at this site (vf.shared_rdma), "
                     "and this node is in shared mode" +
                     how_to_switch);
  // A device that stays on the node cannot be opened from another namespace then (rdma_dev_access_netns).
  if (settings.mode == Mode::ipoib && exclusive_)
    return error(
        Errc::unsupported,
        node_name +
            ": mode ipoib needs the RDMA subsystem's shared mode, and this node is in exclusive mode" +
            how_to_switch);
  return {};
}

NetnsFile StepNetwork::netns_of(unsigned task) const {
  return directory_ + "/netns-" + (settings_.scope == Scope::node ? "node" : std::to_string(task));
}

Result<NetnsFile> StepNetwork::join(unsigned task) {
  NetnsFile file = netns_of(task);
  if (devices_.contains(file)) return file;
  CIB_CHECK(run(MakeNetns{file}));
  devices_[file];
  return file;
}

// Only of ports that could be chosen: an HCA that is not for MPI may have VFs that nobody can ask for. One
// that cannot be asked has none, and its reason is told if there are too few.
Result<VfCapacity> StepNetwork::capacity(const Inventory& inventory, const PlacementOptions& options) {
  VfCapacity capacity;
  CIB_TRY(const auto claims, node_.claims());
  for (const auto& [name, owner] : claims)
    if (PciAddress::parse(name) && uid_of_claim(owner) == uid_of_claim(owner_)) ++capacity.of_user;
  for (const Port& port : inventory.ports) {
    if (!port.pci || capacity.free.contains(*port.pci) || !may_serve(port, options)) continue;
    const auto vfs = node_.vfs_of(port);
    if (!vfs) {
      capacity.why_none[*port.pci] = vfs.error().message();
      continue;
    }
    capacity.free[*port.pci] = static_cast<unsigned>(std::count_if(
        vfs->free.begin(), vfs->free.end(), [&](const FreeVf& vf) { return may_be_given(vf, site_); }));
    capacity.claimed[*port.pci] = vfs->claimed;
  }
  return capacity;
}

std::set<StepNetwork::Place> StepNetwork::not_claimed_of(const std::vector<Wish>& wishes) const {
  std::set<Place> places;
  for (const Wish& wish : wishes)
    for (const Port& port : wish.ports)
      if (const Place place{netns_of(wish.task), port.name()}; !claimed_.contains(place))
        places.insert(place);
  return places;
}

Status StepNetwork::check_addresses(const std::vector<Wish>& wishes) {
  if (site_.addresses.pool.empty()) return {};
  CIB_TRY(const AddressPool pool, AddressPool::of_node(site_.addresses, node_name_));
  CIB_TRY(const auto claims, node_.claims());
  const auto taken =
      static_cast<std::size_t>(std::count_if(claims.begin(), claims.end(), [](const auto& claim) {
        return claim.first.starts_with(address_claim);
      }));
  const std::size_t needed = not_claimed_of(wishes).size(), size = pool.size();
  if (needed + taken <= size) return {};
  const std::string text =
      node_name_ + ": " + std::to_string(needed) +
      (needed == 1 ? " interface needs an address" : " interfaces need an address each") + ", and ";
  if (needed > size)
    return error(Errc::unusable, text + "this node has " + std::to_string(size) +
                                     "; addresses.per_node in the site's file could be larger");
  return error(Errc::in_use, text + std::to_string(taken) + " of this node's " + std::to_string(size) +
                                 " are in use; wait=SECONDS waits for those that other steps have");
}

Status StepNetwork::claim(const std::vector<Wish>& wishes) {
  for (const Wish& wish : wishes) {
    const std::string doing = "attach rank " + std::to_string(wish.rank);
    for (const Port& port : wish.ports) {
      const Place place{netns_of(wish.task), port.name()};
      if (claimed_.contains(place)) continue;
      Claimed claimed;
      if (settings_.mode == Mode::vf) {
        auto vf = claim_vf(port);
        if (!vf) return std::move(vf).error().in(doing);
        claimed.vf = std::move(*vf);
      }
      auto address = claim_address();
      if (!address) return std::move(address).error().in(doing);
      claimed.address = std::move(*address);
      claimed_.emplace(place, std::move(claimed));
    }
  }
  return {};
}

Result<std::vector<NetworkDevice>> StepNetwork::attach(unsigned task, const std::vector<Port>& ports) {
  const NetnsFile netns = netns_of(task);
  auto& present = devices_[netns];
  std::vector<NetworkDevice> devices;
  for (const Port& port : ports) {
    const auto same = [&](const NetworkDevice& device) {
      return device.port.name() == port.name() || (device.port.physfn && device.port.physfn == port.pci);
    };
    auto found = std::find_if(present.begin(), present.end(), same);
    if (found == present.end()) {
      const std::string netdev = "ib" + std::to_string(present.size());
      const auto claimed = claimed_.find({netns, port.name()});
      if (claimed == claimed_.end()) return error(Errc::bug, port.name() + " was not claimed");
      CIB_TRY(auto device, settings_.mode == Mode::vf ? add_vf(netns, netdev, port, claimed->second)
                                                      : add_child(netns, netdev, port, claimed->second));
      found = present.insert(present.end(), std::move(device));
    }
    devices.push_back(*found);
  }
  return devices;
}

// The order of it: doc/adr/0004-order-of-an-attach.md.
Result<NetworkDevice> StepNetwork::add_vf(const NetnsFile& netns, const std::string& netdev, const Port& pf,
                                          const Claimed& claimed) {
  const auto& [taken, address] = claimed;
  const VfIdentity& vf = taken.identity;
  CIB_CHECK(run(KeepVfNames{vf, taken.netdev, taken.rdma}));
  VfSettings settings = site_.vf.settings;
  if (!has_guids(taken.settings)) {
    settings.node_guid = generated_vf_guid(pf.port_guid, vf.index, VfGuid::node);
    settings.port_guid = generated_vf_guid(pf.port_guid, vf.index, VfGuid::port);
  }
  if (settings != VfSettings{}) CIB_CHECK(run(SetVf{vf, settings, old_of(settings, taken.settings)}));
  if (exclusive_) CIB_CHECK(run(MoveRdmaDevice{vf, netns}));
  CIB_CHECK(run(MoveVfLink{vf, netns, netdev, exclusive_}));
  CIB_CHECK(raise(netns, netdev, address));

  NetworkDevice device{.port = pf, .netns = netns, .netdev = netdev, .address = address};
  device.port.pci = vf.pci;
  device.port.physfn = vf.physfn;
  device.port.number = 1;
  CIB_TRY(device.port.device, node_.rdma_device(vf.pci, exclusive_ ? netns : ""));
  return device;
}

Result<FreeVf> StepNetwork::claim_vf(const Port& pf) {
  CIB_TRY(const auto vfs, node_.vfs_of(pf));
  for (FreeVf vf : vfs.free) {
    if (!may_be_given(vf, site_)) continue;
    const auto status = run(Claim{vf.identity.pci.text(), owner_});
    if (!status && status.error().code == Errc::in_use) continue;  // it was counted, but somebody has it
    if (!status) return status.error();
    vf.identity.owner = owner_;
    return vf;
  }
  return error(Errc::unusable, node_name_ + ": no VF of " + pf.name() + " is free any more");
}

Result<NetworkDevice> StepNetwork::add_child(const NetnsFile& netns, const std::string& netdev,
                                             const Port& port, const Claimed& claimed) {
  if (!port.pci) return error(Errc::unsupported, port.name() + " is on no PCI function");
  if (settings_.pkey) {
    CIB_TRY(const auto table, node_.pkeys(port));
    if (std::none_of(table.begin(), table.end(),
                     [&](std::uint16_t pkey) { return same_partition(pkey, *settings_.pkey); }))
      return error(Errc::not_found,
                   node_name_ + ": " + port.name() +
                       " is not in the partition that pkey= names; its P_Key table is the subnet manager's");
  }
  const std::string tag = "container-ib:" + owner_ + ":" + netns.substr(netns.rfind('/') + 1) + ":" + netdev;
  CIB_CHECK(run(MakeIpoibChild{.parent = *port.pci,
                               .port = port.number,
                               .netns = netns,
                               .name = netdev,
                               .temporary = temporary_link_name(tag),
                               .owner = tag,
                               .pkey = settings_.pkey,
                               .connected = site_.ipoib_connected}));
  CIB_CHECK(raise(netns, netdev, claimed.address));
  return NetworkDevice{.port = port, .netns = netns, .netdev = netdev, .address = claimed.address};
}

// The lowest slot of this node's part of the pool that nobody has.
Result<std::string> StepNetwork::claim_address() {
  if (site_.addresses.pool.empty()) return std::string();
  CIB_TRY(const AddressPool pool, AddressPool::of_node(site_.addresses, node_name_));
  CIB_TRY(const auto taken, node_.claims());
  for (unsigned slot = 0; slot < pool.size(); ++slot) {
    const std::string name = address_claim + std::to_string(slot);
    if (taken.contains(name)) continue;
    const auto status = run(Claim{name, owner_ + "#" + std::to_string(slot)});
    if (status.ok()) return pool.address(slot);
    if (status.error().code != Errc::in_use) return status.error();
  }
  return error(Errc::unusable, node_name_ + ": no address of this node is free any more");
}

Status StepNetwork::await_carriers(const std::function<void()>& meanwhile) {
  for (const auto& [netns, devices] : devices_)
    for (const NetworkDevice& device : devices) {
      const auto status =
          node_.await_carrier(netns, device.netdev, static_cast<int>(site_.carrier_timeout_s) * 1000);
      meanwhile();
      if (status.ok()) continue;
      if (status.error().code != Errc::timed_out) return status;
      return error(Errc::timed_out,
                   node_name_ + ": " + device.netdev + " on " + device.port.name() +
                       " has no carrier after " + std::to_string(site_.carrier_timeout_s) +
                       " s: the subnet manager has not let it join, or knows neither its P_Key nor its GUID");
    }
  return {};
}

template <class Choose>
std::vector<std::string> StepNetwork::give_back(Choose choose) {
  auto records = in_force(journal_.records());
  std::erase_if(records, [&](const Record* record) { return !choose(*record); });
  const auto [reverted, failed] = cib::give_back(kernel_, records);
  for (const Record& record : reverted)
    (void)journal_.write(Mark::undone, Undone{std::string(verb_of(*get_if<Action>(record))), record.seq});
  return failed;
}

std::vector<std::string> StepNetwork::give_interfaces_back() {
  for (auto& [netns, devices] : devices_) devices.clear();
  claimed_.clear();
  return give_back([](const Record& record) { return get_if<MakeNetns>(record) == nullptr; });
}

std::vector<std::string> StepNetwork::give_all_back() {
  devices_.clear();
  claimed_.clear();
  return give_back([](const Record&) { return true; });
}

Status StepNetwork::run(const Action& action) {
  CIB_CHECK(journal_.write(Mark::intent, action));
  CIB_CHECK(kernel_.apply(action));
  return journal_.write(Mark::done, action);
}

Status StepNetwork::raise(const NetnsFile& netns, const std::string& netdev, const std::string& address) {
  return run(RaiseLink{.netns = netns,
                       .name = netdev,
                       .mtu = settings_.mtu,
                       .address = address.empty() ? std::nullopt : std::optional(address)});
}

}  // namespace cib
