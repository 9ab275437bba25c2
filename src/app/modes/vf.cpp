// Mode vf: for each port a task gets an SR-IOV VF of its HCA, in a network namespace of its own.
#include "container_ib/vf.hpp"

#include <algorithm>
#include <map>

#include "app/modes/hand_over.hpp"
#include "app/modes/mode_unit.hpp"
#include "app/modes/rdma_mode.hpp"
#include "app/modes/roce_gid.hpp"
#include "app/modes/vf_places.hpp"

namespace cib {

namespace {

// Whether a step may have the VF: one without GUIDs only where the site has them generated, and of Ethernet
// never, as there they follow from its MAC.
bool may_be_given(const FreeVf& vf, const Port& pf, const SiteConfig& site) {
  return vf.has_guids || (site.vf.generate_guids && pf.link_layer != LinkLayer::ethernet);
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

// The VFs of the PFs that may serve by themselves: an HCA that is not for MPI may have VFs that nobody can
// ask for. One that cannot be asked has none, and its reason is told if there are too few.
Result<VfCapacity> capacity_of(const PlaceQuestion& question) {
  VfCapacity capacity;
  CIB_TRY(const auto claims, question.node.claims());
  for (const auto& [name, owner] : claims)
    if (PciAddress::parse(name) && uid_of_claim(owner) == uid_of_claim(question.owner)) ++capacity.of_user;
  for (const Port& port : question.facts.inventory.ports) {
    if (!port.pci || capacity.free.contains(*port.pci) || !may_serve(port, question.options)) continue;
    const auto vfs = question.node.vfs_of(port);
    if (!vfs) {
      capacity.why_none[*port.pci] = vfs.error().message();
      continue;
    }
    const auto usable = std::count_if(vfs->free.begin(), vfs->free.end(), [&](const FreeVf& vf) {
      return may_be_given(vf, port, question.facts.site);
    });
    capacity.free[*port.pci] = static_cast<unsigned>(usable);
    capacity.claimed[*port.pci] = vfs->claimed;
  }
  return capacity;
}

// A PF's IPoIB interface can set nothing else of its VFs (ipoib_netdev_ops_pf in ipoib_main.c), and a site
// may have PFs of both kinds.
VfSettings of_infiniband(const VfSettings& all) {
  VfSettings kept;
  kept.link_state = all.link_state;
  return kept;
}

class VfInterfaces final : public Interfaces {
 public:
  explicit VfInterfaces(InterfaceFacts facts) : step_(std::move(facts)) {}

  Status claim(const NetnsFile& netns, const Port& pf) override {
    CIB_TRY(const auto vfs, step_.node.vfs_of(pf));
    for (FreeVf vf : vfs.free) {
      if (!may_be_given(vf, pf, step_.site)) continue;
      const auto status = step_.run(Claim{vf.identity.pci.text(), step_.owner});
      if (!status && status.error().code == Errc::in_use) continue;  // it was counted, but somebody has it
      if (!status) return status.error();
      vf.identity.owner = step_.owner;
      claimed_.insert_or_assign({netns, pf.name()}, std::move(vf));
      return {};
    }
    return error(Errc::unusable, step_.node_name + ": no VF of " + pf.name() + " is free any more");
  }

  // The order of it: doc/adr/0004-order-of-an-attach.md.
  Result<NetworkDevice> add(const NetnsFile& netns, const std::string& netdev, const Port& pf) override {
    const auto claimed = claimed_.find({netns, pf.name()});
    if (claimed == claimed_.end()) return error(Errc::bug, pf.name() + " was not claimed");
    const FreeVf& taken = claimed->second;
    const VfIdentity& vf = taken.identity;
    CIB_CHECK(step_.run(KeepVfNames{vf, taken.netdev, taken.rdma}));
    const VfSettings settings = settings_for(taken, pf);
    if (settings != VfSettings{}) CIB_CHECK(step_.run(SetVf{vf, settings, old_of(settings, taken.settings)}));
    Port port = pf;
    port.pci = vf.pci;
    port.physfn = vf.physfn;
    port.number = 1;
    port.gids.clear();  // its PF's
    return hand_over(step_, vf, netns, netdev, port);
  }

  Status settle(NetworkDevice& device) override { return keep_own_gid(step_, device); }
  std::string why_no_carrier(const Port& port) const override { return why_no_carrier_of(port); }

 private:
  VfSettings settings_for(const FreeVf& vf, const Port& pf) const {
    VfSettings settings = step_.site.vf.settings;
    if (pf.link_layer != LinkLayer::ethernet) settings = of_infiniband(settings);
    if (vf.has_guids) return settings;
    settings.node_guid = generated_vf_guid(pf.port_guid, vf.identity.index, VfGuid::node);
    settings.port_guid = generated_vf_guid(pf.port_guid, vf.identity.index, VfGuid::port);
    return settings;
  }

  InterfaceFacts step_;
  std::map<std::pair<NetnsFile, std::string>, FreeVf> claimed_;  // by namespace and the PF's port
};

class VfMode final : public ModeUnit {
 public:
  Status suits(const NodeFacts& facts) const override { return may_hand_out_devices(facts); }

  std::string lacks(const NodeFacts& facts) const override {
    const auto& ports = facts.inventory.ports;
    if (std::none_of(ports.begin(), ports.end(), [](const Port& port) { return port.physfn.has_value(); }))
      return "no VFs; see sriov_numvfs of the HCAs";
    return lacks_netdev(facts);
  }

  std::string caveat(const NodeFacts& facts) const override { return caveat_of_handing_out(facts, "VFs"); }

  // VFs that nobody has, of each PF, and those that no step will ever get.
  std::vector<std::string> notes(const NodeFacts& facts, Node& node) const override {
    std::vector<std::string> lines;
    for (const Port& port : facts.inventory.ports) {
      if (!port.pci || port.physfn || port.number != 1) continue;
      const std::string of = "VFs of " + port.device + ": ";
      const auto vfs = node.vfs_of(port);
      if (!vfs) {
        lines.push_back(of + vfs.error().message());
        continue;
      }
      const auto usable = std::count_if(vfs->free.begin(), vfs->free.end(),
                                        [&](const FreeVf& vf) { return may_be_given(vf, port, facts.site); });
      const auto without = static_cast<long>(vfs->free.size()) - usable;
      if (!vfs->free.empty()) lines.push_back(of + std::to_string(usable) + " free");
      if (without != 0)
        lines.push_back(of + std::to_string(without) + " without GUIDs, which no step gets; " +
                        (port.link_layer == LinkLayer::ethernet
                             ? "give them MACs ('ip link set PF vf N mac') and bind them again"
                             : "see vf.guids in the site's file"));
    }
    return lines;
  }

  Result<Assignment> place(const PlaceQuestion& question) const override {
    CIB_TRY(const VfCapacity capacity, capacity_of(question));
    PlacementOptions options = question.options;
    options.shared_vfs = question.settings.scope == Scope::node;
    return place_on_vfs(question.facts.name, question.facts.inventory, question.tasks, std::move(options),
                        capacity, question.facts.site.vf);
  }

  std::unique_ptr<Interfaces> interfaces(InterfaceFacts facts) const override {
    return std::make_unique<VfInterfaces>(std::move(facts));
  }
};

}  // namespace

const ModeUnit& vf_mode() {
  static const VfMode mode;
  return mode;
}

}  // namespace cib
