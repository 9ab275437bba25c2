// Mode macvlan: in a network namespace of its own a task gets, for each RoCE port, a macvlan interface on
// that port's, by whose address it uses RDMA; or, where the site names an Ethernet interface, one on that,
// beside which it uses the HCAs as in mode verbs.
#include <algorithm>

#include "app/modes/mode_unit.hpp"
#include "app/modes/rdma_mode.hpp"
#include "app/modes/roce_gid.hpp"

namespace cib {

namespace {

// macvlan_port_create() in macvlan.c.
constexpr const char* needs_ethernet =
    "needs Ethernet, which the kernel lays macvlan on alone, and no HCA that is eligible here has it; mode "
    "ipoib gives tasks interfaces on InfiniBand";

bool is_beside(const SiteConfig& site) { return !site.macvlan.parent.empty(); }

class MacvlanInterfaces final : public Interfaces {
 public:
  explicit MacvlanInterfaces(InterfaceFacts facts) : step_(std::move(facts)) {}

  bool one_for_all_ports() const override { return is_beside(step_.site); }

  // Interfaces on a port are as many as one makes.
  Status claim(const NetnsFile&, const Port&) override { return {}; }

  Result<NetworkDevice> add(const NetnsFile& netns, const std::string& netdev, const Port& port) override {
    std::string parent = step_.site.macvlan.parent;
    if (parent.empty()) {
      CIB_TRY(parent, step_.node.netdev_of(port));
    }
    const std::string tag = link_tag(step_.owner, netns, netdev);
    CIB_CHECK(step_.run(MakeMacvlan{.parent = parent,
                                    .isolated = step_.site.macvlan.isolated,
                                    .netns = netns,
                                    .name = netdev,
                                    .temporary = temporary_link_name(tag),
                                    .owner = tag,
                                    .among_others = step_.network_of ? std::optional(true) : std::nullopt}));
    return NetworkDevice{.port = port, .netns = netns, .netdev = netdev, .address = ""};
  }

  Status settle(NetworkDevice& device) override {
    return is_beside(step_.site) ? Status() : keep_own_gid(step_, device);
  }
  std::string name_prefix(const Port&) const override { return "eth"; }
  std::string why_no_carrier(const Port&) const override { return "what it lies on has none"; }

 private:
  InterfaceFacts step_;
};

class MacvlanMode final : public ModeUnit {
 public:
  Status suits(const NodeFacts& facts) const override {
    CIB_CHECK(has_address_pool(facts));
    return shares_devices(facts);
  }
  std::string lacks(const NodeFacts& facts) const override {
    return is_beside(facts.site) || lacks_netdev(facts, LinkLayer::ethernet).empty() ? "" : needs_ethernet;
  }
  std::string caveat(const NodeFacts& facts) const override {
    if (!is_beside(facts.site)) return {};
    return "gives tasks an interface on " + facts.site.macvlan.parent +
           ", and rdma_cm finds no HCA by its address";
  }
  std::vector<std::string> notes(const NodeFacts&, Node&) const override { return {}; }

  Result<Assignment> place(const PlaceQuestion& question) const override {
    PlacementOptions options = question.options;
    if (!is_beside(question.facts.site)) options.roce = Roce::only;
    Assignment assignment = cib::place(question.facts.inventory, question.tasks, options);
    const auto& ports = question.facts.inventory.ports;
    const bool has_ethernet = std::any_of(
        ports.begin(), ports.end(), [](const Port& port) { return port.link_layer == LinkLayer::ethernet; });
    if (options.roce == Roce::only && !has_ethernet)
      return error(Errc::unusable, question.facts.name + ": mode macvlan " + needs_ethernet);
    return assignment;
  }

  std::unique_ptr<Interfaces> interfaces(InterfaceFacts facts) const override {
    return std::make_unique<MacvlanInterfaces>(std::move(facts));
  }
};

}  // namespace

const ModeUnit& macvlan_mode() {
  static const MacvlanMode mode;
  return mode;
}

}  // namespace cib
