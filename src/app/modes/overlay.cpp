// Mode overlay: the tasks of a step are on an Ethernet of their own, which runs over the nodes' IPoIB, and
// use the HCAs beside it as in mode verbs.
//
// On each node one VXLAN interface, in a namespace that no task is in, and on it a macvlan interface in the
// namespace of each task: the kernel wants one VXLAN interface for a VNI.
#include "app/modes/mode_unit.hpp"
#include "app/modes/rdma_mode.hpp"
#include "container_ib/ipv4.hpp"
#include "container_ib/underlay.hpp"

namespace cib {

namespace {

constexpr const char* vxlan_name = "vxlan0";

class OverlayInterfaces final : public Interfaces {
 public:
  explicit OverlayInterfaces(InterfaceFacts facts) : step_(std::move(facts)) {}

  bool one_for_all_ports() const override { return true; }

  Status claim(const NetnsFile&, const Port&) override {
    if (step_.network_of)
      return error(Errc::unsupported,
                   "mode overlay joins the nodes of a job's step; ipoib and macvlan give a container an "
                   "interface without one");
    if (is_claimed_) return {};
    CIB_CHECK(step_.run(Claim{"vni-" + std::to_string(vni()), step_.owner}));
    is_claimed_ = true;
    return {};
  }

  Result<NetworkDevice> add(const NetnsFile& netns, const std::string& netdev, const Port& port) override {
    if (vxlan_netns_.empty()) CIB_CHECK(make_vxlan(netns.substr(0, netns.rfind('/')) + "/netns-overlay"));
    const std::string tag = link_tag(step_.owner, netns, netdev);
    CIB_CHECK(step_.run(MakeMacvlan{.parent = vxlan_name,
                                    .parent_netns = vxlan_netns_,
                                    .netns = netns,
                                    .name = netdev,
                                    .temporary = temporary_link_name(tag),
                                    .owner = tag}));
    return NetworkDevice{.port = port, .netns = netns, .netdev = netdev, .address = ""};
  }

  std::string name_prefix(const Port&) const override { return "eth"; }
  std::string why_no_carrier(const Port&) const override { return "what its overlay runs over is down"; }

 private:
  unsigned vni() const { return overlay_vni(step_.job, step_.step); }

  Status make_vxlan(const NetnsFile& netns) {
    CIB_TRY(const auto nodes, step_.nodes());
    auto underlay = underlay_of_step(step_.site.overlay, step_.node_name, nodes);
    if (!underlay) return std::move(underlay).error().in(step_.node_name);
    const std::string tag = link_tag(step_.owner, netns, vxlan_name);
    CIB_CHECK(step_.run(MakeNetns{netns}));
    CIB_CHECK(step_.run(MakeVxlan{.vni = vni(),
                                  .local = ipv4_text(underlay->local),
                                  .peers = ipv4_ranges(underlay->peers),
                                  .netns = netns,
                                  .name = vxlan_name,
                                  .temporary = temporary_link_name(tag),
                                  .owner = tag}));
    CIB_CHECK(step_.run(RaiseLink{.netns = netns, .name = vxlan_name, .mtu = {}, .address = {}}));
    vxlan_netns_ = netns;
    return {};
  }

  InterfaceFacts step_;
  bool is_claimed_ = false;
  NetnsFile vxlan_netns_;  // once it is there
};

class OverlayMode final : public ModeUnit {
 public:
  Status suits(const NodeFacts& facts) const override {
    CIB_CHECK(has_address_pool(facts));
    CIB_CHECK(check_underlay(facts.site.overlay, facts.name));
    return shares_devices(facts);
  }
  std::string lacks(const NodeFacts&) const override { return {}; }
  std::string caveat(const NodeFacts&) const override {
    return "is for sockets: verbs goes past it, and rdma_cm finds no HCA by its addresses; modes ipoib and "
           "vf "
           "have rdma_cm";
  }
  std::vector<std::string> notes(const NodeFacts& facts, Node& node) const override {
    const auto underlay = underlay_of_step(facts.site.overlay, facts.name, {facts.name});
    if (!underlay) return {};
    const std::string address = ipv4_text(underlay->local);
    const auto netdev = node.netdev_with(address);
    return {netdev ? "overlays run over " + *netdev + ", " + address
                   : "overlays: " + netdev.error().message() + ", which [[overlay]] of the site's file says"};
  }

  Result<Assignment> place(const PlaceQuestion& question) const override {
    return cib::place(question.facts.inventory, question.tasks, question.options);
  }

  std::unique_ptr<Interfaces> interfaces(InterfaceFacts facts) const override {
    return std::make_unique<OverlayInterfaces>(std::move(facts));
  }
};

}  // namespace

const ModeUnit& overlay_mode() {
  static const OverlayMode mode;
  return mode;
}

}  // namespace cib
