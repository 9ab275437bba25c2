#include "adapters/attach/vf_actions.hpp"

#include <algorithm>

#include "adapters/attach/pci_function.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/netlink/links.hpp"
#include "adapters/netlink/rdma_devices.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// A driver has made a device anew, or the kernel has brought one back from a namespace that is being
// destroyed, well within this time.
constexpr int home_timeout_ms = 5'000;

// The RDMA device of the function among those of the caller's namespace, of which `sysfs` is the sysfs.
Result<RdmaDevice> rdma_device(const std::string& sysfs, const PciAddress& pci) {
  const auto names = rdma_devices_of(sysfs, pci);
  CIB_TRY(const auto devices, rdma_devices());
  for (const RdmaDevice& device : devices)
    if (std::find(names.begin(), names.end(), device.name) != names.end()) return device;
  return error(Errc::not_found, "no RDMA device of " + pci.text());
}

// The one network device of the function in the caller's namespace. Not by name, which udev may change
// between two calls.
Result<Link> link_of(Links& links, const PciAddress& pci) {
  CIB_TRY(const auto all, links.list());
  for (const Link& link : all)
    if (link.kind != "ipoib" || link.lower_index == 0)  // not a child
      if (link.parent_device == pci.text()) return link;
  return error(Errc::not_found, "no network device of " + pci.text());
}

bool changes_guids(const VfSettings& settings) { return settings.node_guid || settings.port_guid; }

// Of `wanted`, what is not so yet.
VfSettings missing(VfSettings wanted, const VfSettings& present) {
  const auto drop = [](auto& value, const auto& other) {
    if (value == other) value.reset();
  };
  drop(wanted.link_state, present.link_state);
  drop(wanted.node_guid, present.node_guid);
  drop(wanted.port_guid, present.port_guid);
  drop(wanted.spoof_check, present.spoof_check);
  drop(wanted.trust, present.trust);
  // Two that are set together: the one that is not given is set to 0 with the other (Links::set_vf).
  const auto are_same = [](const auto& one, const auto& other) {
    return one.value_or(0) == other.value_or(0);
  };
  if (are_same(wanted.vlan, present.vlan) && are_same(wanted.qos, present.qos))
    wanted.vlan.reset(), wanted.qos.reset();
  if (are_same(wanted.min_tx_mbps, present.min_tx_mbps) && are_same(wanted.max_tx_mbps, present.max_tx_mbps))
    wanted.min_tx_mbps.reset(), wanted.max_tx_mbps.reset();
  return wanted;
}

// Returns what was not so yet.
Result<VfSettings> set_vf(const VfIdentity& vf, const VfSettings& wanted) {
  CIB_TRY(const int pf, port_netdev_index(vf.physfn, 1));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const VfSettings present, links.vf(pf, vf.index));
  const VfSettings settings = missing(wanted, present);
  if (settings != VfSettings{}) CIB_CHECK(links.set_vf(pf, vf.index, settings));
  return settings;
}

// A name that the node does not use. restore_vf_names() gives the interface its own.
std::string neutral_name(int index) { return "cibvf" + std::to_string(index); }

Status take_down(Links& links, Link& link) {
  if (!link.up) return {};
  CIB_CHECK(links.change(link.index, {.up = false}, "take " + link.name + " down"));
  link.up = false;
  return {};
}

Status rename_down(Links& links, Link& link, const std::string& name) {
  CIB_CHECK(take_down(links, link));
  if (link.name == name) return {};
  CIB_CHECK(links.change(link.index, {.name = name}, "rename " + link.name + " to " + name));
  link.name = name;
  return {};
}

// Has the interface at home, if there is one, keep no name that another VF is to get back: the kernel calls
// one that it makes anew by the first name that is free. Two steps that give back VFs would each hold the
// other's. Under the node's lock, in the same turn as what had the interface made.
Status out_of_the_way(const PciAddress& pci) {
  CIB_TRY(auto links, Links::open());
  auto link = link_of(links, pci);
  return link ? rename_down(links, *link, neutral_name(link->index)) : Status();
}

Status make_anew(const PciAddress& pci) {
  CIB_CHECK(bind_driver_again(pci));
  CIB_CHECK(await_vf_at_home(pci, home_timeout_ms));
  return out_of_the_way(pci);
}

}  // namespace

Status apply(const KeepAddresses&) { return {}; }

Status undo(const KeepAddresses& action) {
  CIB_CHECK(await_vf_at_home(action.vf.pci, home_timeout_ms));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const Link link, link_of(links, action.vf.pci));
  // An IPoIB interface that was made anew is in datagram mode, whose MTU the connected mode's may be above.
  if (link.mtu != action.mtu)
    if (auto status = links.change(link.index, {.mtu = action.mtu}, "give " + link.name + " its MTU");
        !status && link.mtu > action.mtu)
      return status;
  if (action.up && !link.up) CIB_CHECK(links.change(link.index, {.up = true}, "raise " + link.name));
  CIB_TRY(const auto present, links.addresses(link.index));
  for (const std::string_view address : split(action.addresses, ',')) {
    const std::string text(address);
    if (text.empty() || std::find(present.begin(), present.end(), text) != present.end()) continue;
    CIB_CHECK(links.add_address(link.index, text, "give " + link.name + " its address " + text));
  }
  return {};
}

Status verify(const KeepAddresses&) { return {}; }

Status apply(const KeepVfNames&) { return {}; }

Status undo(const KeepVfNames& action) {
  const auto& [vf, netdev, rdma] = action;
  CIB_CHECK(await_vf_at_home(vf.pci, home_timeout_ms));
  CIB_TRY(const RdmaDevice device, rdma_device(node_sysfs, vf.pci));
  if (device.name != rdma) CIB_CHECK(rename_rdma_device(device, rdma));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(Link link, link_of(links, vf.pci));
  // By way of another name, as its own may be held by one that waits for the name that this one has.
  if (link.name != netdev) CIB_CHECK(rename_down(links, link, neutral_name(link.index)));
  return rename_down(links, link, netdev);
}

Status verify(const KeepVfNames&) { return {}; }

Status apply(const SetVf& action) {
  CIB_TRY(const VfSettings changed, set_vf(action.vf, action.settings));
  return changes_guids(changed) ? make_anew(action.vf.pci) : Status();
}

Status undo(const SetVf& action) {
  const auto& [vf, settings, old] = action;
  CIB_CHECK(await_vf_at_home(vf.pci, home_timeout_ms));
  CIB_CHECK(set_vf(vf, old));
  // Also when they were so already: who was killed may have set them and not yet made the driver read them.
  return changes_guids(old) ? make_anew(vf.pci) : Status();
}

Status verify(const SetVf& action) {
  const VfIdentity& vf = action.vf;
  CIB_TRY(const int pf, port_netdev_index(vf.physfn, 1));
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const VfSettings present, links.vf(pf, vf.index));
  const VfSettings lost = missing(action.settings, present);
  std::vector<std::string> otherwise;
  VfSettings::each_field(lost, [&](const std::string& name, const auto& value) {
    if (value) otherwise.push_back(name + '=' + std::to_string(static_cast<std::uint64_t>(*value)));
  });
  std::sort(otherwise.begin(), otherwise.end());
  if (otherwise.empty()) return {};
  return error(Errc::not_found, "VF " + vf.pci.text() + ", number " + std::to_string(vf.index) + " of " +
                                    vf.physfn.text() + ", no longer has " + join(otherwise));
}

Status apply(const MoveRdmaDevice& action) {
  const VfIdentity& vf = action.vf;
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(action.netns));
  CIB_TRY(const RdmaDevice device, rdma_device(node_sysfs, vf.pci));
  CIB_CHECK(move_rdma_device(device, netns.get()));
  return out_of_the_way(vf.pci);
}

// From inside: the kernel moves only a device that is in the caller's own namespace. Where the namespace is
// gone the kernel has sent the device home, or is about to.
Status undo(const MoveRdmaDevice& action) {
  const VfIdentity& vf = action.vf;
  const auto netns = open_pinned_network_namespace(action.netns);
  if (netns) {
    CIB_TRY(const UniqueFd home, open_own_network_namespace());
    CIB_TRY(const UniqueFd sysfs, sysfs_of_network_namespace(netns->get()));
    CIB_TRY(const NetworkVisit visit, NetworkVisit::to(netns->get()));
    const auto device = rdma_device(path_of(sysfs), vf.pci);
    if (device) CIB_CHECK(move_rdma_device(*device, home.get()));
  }
  CIB_CHECK(await_vf_at_home(vf.pci, home_timeout_ms));
  return out_of_the_way(vf.pci);
}

Status verify(const MoveRdmaDevice& action) {
  const VfIdentity& vf = action.vf;
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(action.netns));
  CIB_TRY(const UniqueFd sysfs, sysfs_of_network_namespace(netns.get()));
  if (!rdma_devices_of(path_of(sysfs), vf.pci).empty()) return {};
  const auto at_home = rdma_devices_of(node_sysfs, vf.pci);
  return error(Errc::not_found, "the RDMA device of " + vf.pci.text() + " is not in " + action.netns +
                                    (at_home.empty() ? "" : " but on the node, as " + at_home.front()));
}

// Before Linux 6.17 the interface of an RDMA device that moved is made anew at home, since then where the
// device is (ipoib_add_port in ipoib_main.c).
Status apply(const MoveVfLink& action) {
  const VfIdentity& vf = action.vf;
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(action.netns));
  const std::string& name = action.name;
  CIB_TRY(auto links, Links::open());
  if (auto link = link_of(links, vf.pci)) {
    CIB_CHECK(take_down(links, *link));
    return links.change(link->index, {.name = name, .network_namespace = netns.get()},
                        "move " + link->name + " into the network namespace as " + name);
  }
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to(netns.get()));
  CIB_TRY(auto inside, Links::open());
  CIB_TRY(const Link link, link_of(inside, vf.pci));
  return inside.change(link.index, {.name = name}, "name " + link.name + " " + name);
}

Status undo(const MoveVfLink& action) {
  if (action.remade) return {};
  const VfIdentity& vf = action.vf;
  const auto netns = open_pinned_network_namespace(action.netns);
  if (!netns) return await_vf_at_home(vf.pci, home_timeout_ms);
  CIB_TRY(const UniqueFd home, open_own_network_namespace());
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to(netns->get()));
  CIB_TRY(auto links, Links::open());
  auto link = link_of(links, vf.pci);
  if (!link) return {};  // never came here
  CIB_CHECK(take_down(links, *link));
  return links.change(link->index, {.name = neutral_name(link->index), .network_namespace = home.get()},
                      "bring " + link->name + " home");
}

// The name counts too: whatever speaks of the interface later (link_up, the task) does it by this name.
Status verify(const MoveVfLink& action) {
  const VfIdentity& vf = action.vf;
  const std::string &name = action.name, &file = action.netns;
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to_pinned(file));
  CIB_TRY(auto links, Links::open());
  auto link = link_of(links, vf.pci);
  if (!link) return std::move(link).error().in(file);
  if (link->name == name) return {};
  return error(Errc::not_found, "the interface of " + vf.pci.text() + " in " + file + " is called " +
                                    printable(link->name) + " instead of " + name);
}

}  // namespace cib
