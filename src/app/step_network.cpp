#include "app/step_network.hpp"

#include <algorithm>

#include "app/give_back.hpp"
#include "container_ib/address_pool.hpp"
#include "container_ib/vf_guid.hpp"

namespace cib {

namespace {

constexpr const char* how_to_switch = "; see 'rdma system' and the module option ib_core netns_mode";

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
  CIB_CHECK(run(make_netns(file)));
  devices_[file];
  return file;
}

Result<std::map<PciAddress, unsigned>> StepNetwork::capacity(const Inventory& inventory) {
  std::map<PciAddress, unsigned> capacity;
  for (const Port& port : inventory.ports) {
    if (!port.pci || port.physfn) continue;
    CIB_TRY(const auto free, node_.free_vfs(port));
    unsigned& count = capacity[*port.pci];
    for (const FreeVf& vf : free) count += may_be_given(vf, site_) ? 1U : 0U;
  }
  return capacity;
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
      CIB_TRY(auto device,
              settings_.mode == Mode::vf ? add_vf(netns, netdev, port) : add_child(netns, netdev, port));
      found = present.insert(present.end(), std::move(device));
    }
    devices.push_back(*found);
  }
  return devices;
}

// claim -> settings -> RDMA device -> interface -> address: doc/adr/0004-order-of-an-attach.md.
Result<NetworkDevice> StepNetwork::add_vf(const NetnsFile& netns, const std::string& netdev, const Port& pf) {
  FreeVf taken;
  CIB_TRY(const VfIdentity vf, claim_vf(pf, taken));
  CIB_CHECK(run(make_vf_names(vf, taken.netdev, taken.rdma)));
  VfSettings settings = site_.vf.settings;
  if (!has_guids(taken.settings)) {
    settings.node_guid = generated_vf_guid(pf.port_guid, vf.index, VfGuid::node);
    settings.port_guid = generated_vf_guid(pf.port_guid, vf.index, VfGuid::port);
  }
  if (settings != VfSettings{})
    CIB_CHECK(run(make_vf_settings(vf, settings, old_of(settings, taken.settings))));
  if (exclusive_) CIB_CHECK(run(make_rdma_move(vf, netns)));
  CIB_CHECK(run(make_vf_link(vf, netns, netdev, exclusive_)));
  CIB_TRY(const std::string address, claim_address());
  CIB_CHECK(run(make_link_up(netns, netdev, settings_.mtu.value_or(0), address)));

  NetworkDevice device{.port = pf, .netns = netns, .netdev = netdev, .address = address};
  device.port.pci = vf.pci;
  device.port.physfn = vf.physfn;
  device.port.number = 1;
  CIB_TRY(device.port.device, node_.rdma_device(vf.pci, exclusive_ ? netns : ""));
  return device;
}

Result<VfIdentity> StepNetwork::claim_vf(const Port& pf, FreeVf& taken) {
  CIB_TRY(const auto free, node_.free_vfs(pf));
  for (const FreeVf& vf : free) {
    if (!may_be_given(vf, site_)) continue;
    const auto status = run(make_claim(vf.identity.pci.text(), owner_));
    if (!status && status.error().code == Errc::unavailable) continue;  // another step was faster
    if (!status) return status.error();
    taken = vf;
    VfIdentity identity = vf.identity;
    identity.owner = owner_;
    return identity;
  }
  return error(Errc::unavailable, node_name_ + ": no VF of " + pf.name() + " is free any more");
}

Result<NetworkDevice> StepNetwork::add_child(const NetnsFile& netns, const std::string& netdev,
                                             const Port& port) {
  if (!port.pci) return error(Errc::unsupported, port.name() + " is on no PCI function");
  if (settings_.pkey) {
    CIB_TRY(const auto table, node_.pkeys(port));
    if (std::none_of(table.begin(), table.end(),
                     [&](std::uint16_t pkey) { return same_partition(pkey, *settings_.pkey); }))
      return error(Errc::not_found,
                   node_name_ + ": " + port.name() +
                       " is not in the partition that pkey= names; its P_Key table is the subnet manager's");
  }
  IpoibPlan plan;
  plan.parent = *port.pci;
  plan.port = port.number;
  plan.netns = netns;
  plan.name = netdev;
  plan.owner = "container-ib:" + owner_ + ":" + netns.substr(netns.rfind('/') + 1) + ":" + netdev;
  plan.temporary = temporary_link_name(plan.owner);
  plan.pkey = settings_.pkey;
  plan.connected = site_.ipoib_connected;
  CIB_CHECK(run(make_ipoib_child(plan)));
  CIB_TRY(const std::string address, claim_address());
  CIB_CHECK(run(make_link_up(netns, netdev, settings_.mtu.value_or(0), address)));
  return NetworkDevice{.port = port, .netns = netns, .netdev = netdev, .address = address};
}

// The lowest slot of this node's part of the pool that nobody has.
Result<std::string> StepNetwork::claim_address() {
  if (site_.addresses.pool.empty()) return std::string();
  CIB_TRY(const AddressPool pool, AddressPool::of_node(site_.addresses, node_name_));
  CIB_TRY(const auto taken, node_.claims());
  for (unsigned slot = 0; slot < pool.size(); ++slot) {
    const std::string name = "address-" + std::to_string(slot);
    if (std::find(taken.begin(), taken.end(), name) != taken.end()) continue;
    const auto status = run(make_claim(name, owner_ + "#" + std::to_string(slot)));
    if (status.ok()) return pool.address(slot);
    if (status.error().code != Errc::unavailable) return status.error();
  }
  return error(
      Errc::unavailable,
      node_name_ + ": all " + std::to_string(pool.size()) +
          " addresses of this node are in use; addresses.per_node in the site's file could be larger");
}

Status StepNetwork::await_carriers() {
  for (const auto& [netns, devices] : devices_)
    for (const NetworkDevice& device : devices) {
      const auto status =
          node_.await_carrier(netns, device.netdev, static_cast<int>(site_.carrier_timeout_s) * 1000);
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
    (void)journal_.write(Mark::undone, record.verb, {{"of", std::to_string(record.seq)}});
  return failed;
}

std::vector<std::string> StepNetwork::give_interfaces_back() {
  for (auto& [netns, devices] : devices_) devices.clear();
  return give_back([](const Record& record) { return record.verb != "netns"; });
}

std::vector<std::string> StepNetwork::give_all_back() {
  devices_.clear();
  return give_back([](const Record&) { return true; });
}

Status StepNetwork::run(const Action& action) {
  CIB_CHECK(journal_.write(Mark::intent, action.verb, action.fields));
  CIB_CHECK(kernel_.apply(action));
  return journal_.write(Mark::done, action.verb, action.fields);
}

}  // namespace cib
