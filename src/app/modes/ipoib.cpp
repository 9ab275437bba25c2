// Mode ipoib: for each port a task gets an IPoIB child interface of it, in a network namespace of its own.
#include <algorithm>

#include "app/modes/mode_unit.hpp"
#include "app/modes/rdma_mode.hpp"

namespace cib {

namespace {

class IpoibInterfaces final : public Interfaces {
 public:
  explicit IpoibInterfaces(InterfaceFacts facts) : step_(std::move(facts)) {}

  // Children of a port are as many as one makes.
  Status claim(const NetnsFile&, const Port&) override { return {}; }

  Result<NetworkDevice> add(const NetnsFile& netns, const std::string& netdev, const Port& port) override {
    if (!port.pci) return error(Errc::unsupported, port.name() + " is on no PCI function");
    CIB_CHECK(check_partition(port));
    const std::string tag = link_tag(step_.owner, netns, netdev);
    CIB_CHECK(
        step_.run(MakeIpoibChild{.parent = *port.pci,
                                 .port = port.number,
                                 .netns = netns,
                                 .name = netdev,
                                 .temporary = temporary_link_name(tag),
                                 .owner = tag,
                                 .pkey = step_.settings.pkey,
                                 .connected = step_.site.ipoib_connected,
                                 .among_others = step_.network_of ? std::optional(true) : std::nullopt}));
    return NetworkDevice{.port = port, .netns = netns, .netdev = netdev, .address = ""};
  }

  std::string why_no_carrier(const Port& port) const override { return why_no_carrier_of(port); }

 private:
  // Before it is made: the kernel makes a child of any partition, and some never have a carrier.
  Status check_partition(const Port& port) const {
    if (!step_.settings.pkey) return {};
    CIB_TRY(const auto table, step_.node.pkeys(port));
    const bool has = std::any_of(table.begin(), table.end(), [&](std::uint16_t pkey) {
      return same_partition(pkey, *step_.settings.pkey);
    });
    if (has) return {};
    return error(Errc::not_found,
                 step_.node_name + ": " + port.name() +
                     " is not in the partition that pkey= names; its P_Key table is the subnet manager's");
  }

  InterfaceFacts step_;
};

class IpoibMode final : public ModeUnit {
 public:
  Status suits(const NodeFacts& facts) const override {
    CIB_CHECK(rdma_answers(facts));
    return shares_devices(facts);
  }
  std::string lacks(const NodeFacts& facts) const override {
    return lacks_netdev(facts, LinkLayer::infiniband);
  }
  std::string caveat(const NodeFacts&) const override { return {}; }
  std::vector<std::string> notes(const NodeFacts&, Node&) const override { return {}; }

  Result<Assignment> place(const PlaceQuestion& question) const override {
    return cib::place(question.facts.inventory, question.tasks, question.options);
  }

  std::unique_ptr<Interfaces> interfaces(InterfaceFacts facts) const override {
    return std::make_unique<IpoibInterfaces>(std::move(facts));
  }
};

}  // namespace

const ModeUnit& ipoib_mode() {
  static const IpoibMode mode;
  return mode;
}

}  // namespace cib
