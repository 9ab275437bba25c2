// Mode device: a task, or with scope=node the tasks of a node, get whole HCAs: the RDMA device and its
// interface, in a network namespace of their own. For HCAs without VFs, as in a cloud's virtual machines,
// where the HCA is a VF whose PF is elsewhere, and on nodes with an HCA for each task.
#include <algorithm>
#include <map>

#include "app/modes/hand_over.hpp"
#include "app/modes/mode_unit.hpp"
#include "app/modes/rdma_mode.hpp"
#include "app/modes/roce_gid.hpp"
#include "app/modes/vf_places.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// What each device that may serve has to give: itself, if nobody has it.
Result<VfCapacity> whole_devices_of(const PlaceQuestion& question, const std::string& step) {
  VfCapacity capacity;
  capacity.whole_devices = true;
  CIB_TRY(const auto claims, question.node.claims());
  for (const Port& port : question.facts.inventory.ports) {
    if (!port.pci || capacity.free.contains(*port.pci) || !may_serve(port, question.options)) continue;
    const auto claim = claims.find(port.pci->text());
    const bool has_another = claim != claims.end() && claim->second != question.owner;
    auto device = has_another ? Result<WholeDevice>(error(Errc::in_use, "another step has it"))
                              : question.node.whole_device(port, step);
    capacity.free[*port.pci] = device ? 1 : 0;
    capacity.claimed[*port.pci] = !device && device.error().code == Errc::in_use ? 1 : 0;
    if (!device) capacity.why_none[*port.pci] = device.error().message();
  }
  return capacity;
}

// IPv4 before IPv6: an interface is given one.
std::string address_of(const WholeDevice& device) {
  for (const std::string& address : device.addresses)
    if (address.find(':') == std::string::npos) return address;
  return device.addresses.empty() ? std::string() : device.addresses.front();
}

std::string step_of(const std::string& owner) { return owner.substr(0, owner.find('@')); }

class DeviceInterfaces final : public Interfaces {
 public:
  explicit DeviceInterfaces(InterfaceFacts facts) : step_(std::move(facts)) {}

  Status claim(const NetnsFile&, const Port& port) override {
    CIB_TRY(auto device, step_.node.whole_device(port, step_of(step_.owner)));
    CIB_CHECK(step_.run(Claim{port.pci->text(), step_.owner}));
    claimed_.insert_or_assign(*port.pci, std::move(device));
    return {};
  }

  // As a VF's (doc/adr/0004-order-of-an-attach.md), but that its interface is one that the node has addresses
  // on, which go with it: its fabric may know it by them.
  Result<NetworkDevice> add(const NetnsFile& netns, const std::string& netdev, const Port& port) override {
    const auto claimed = port.pci ? claimed_.find(*port.pci) : claimed_.end();
    if (claimed == claimed_.end()) return error(Errc::bug, port.name() + " was not claimed");
    const WholeDevice& taken = claimed->second;
    const VfIdentity whole{.pci = *port.pci, .physfn = *port.pci, .index = 0, .owner = step_.owner};
    CIB_CHECK(step_.run(KeepAddresses{whole, cib::join(taken.addresses, ","), taken.mtu, taken.up}));
    CIB_CHECK(step_.run(KeepVfNames{whole, taken.netdev, taken.rdma}));
    CIB_TRY(NetworkDevice device, hand_over(step_, whole, netns, netdev, port));
    device.address = address_of(taken);
    return device;
  }

  // The node's own address goes with it.
  bool uses_pool() const override { return false; }
  Status settle(NetworkDevice& device) override { return keep_own_gid(step_, device); }
  std::string why_no_carrier(const Port& port) const override { return why_no_carrier_of(port); }

 private:
  InterfaceFacts step_;
  std::map<PciAddress, WholeDevice> claimed_;
};

class DeviceMode final : public ModeUnit {
 public:
  Status suits(const NodeFacts& facts) const override { return may_hand_out_devices(facts); }
  std::string lacks(const NodeFacts& facts) const override { return lacks_netdev(facts); }

  std::string caveat(const NodeFacts& facts) const override { return caveat_of_handing_out(facts, "device"); }

  // Which HCAs no step can get as a whole.
  std::vector<std::string> notes(const NodeFacts& facts, Node& node) const override {
    std::vector<std::string> lines;
    if (!is_allowed(Mode::device, facts.site)) return lines;
    for (const Port& port : facts.inventory.ports) {
      if (!port.pci || port.physfn || port.number != 1) continue;
      if (const auto device = node.whole_device(port, ""); !device)
        lines.push_back("mode device: " + port.device + ": " + device.error().message());
    }
    return lines;
  }

  Result<Assignment> place(const PlaceQuestion& question) const override {
    PlaceQuestion asked = question;
    asked.options.claimed.clear();  // they are counted, as they will be given back
    CIB_TRY(const VfCapacity capacity, whole_devices_of(asked, step_of(question.owner)));
    asked.options.shared_vfs = question.settings.scope == Scope::node;
    return place_on_vfs(question.facts.name, question.facts.inventory, question.tasks,
                        std::move(asked.options), capacity, {});
  }

  std::unique_ptr<Interfaces> interfaces(InterfaceFacts facts) const override {
    return std::make_unique<DeviceInterfaces>(std::move(facts));
  }
};

}  // namespace

const ModeUnit& device_mode() {
  static const DeviceMode mode;
  return mode;
}

}  // namespace cib
