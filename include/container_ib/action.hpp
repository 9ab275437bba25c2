// The changes of a node, each a type of its own: what is written to the journal before it is done, and what
// it is undone from. Their order and their undo: doc/adr/0004-order-of-an-attach.md.
//
// Each says three things of itself:
//   each_field  its fields by their names in a journal, which reading and writing share (core/journal)
//   thing       what it is done to, by a text that no two things of a step share
//   rests_on    what must stay as it is until this one is undone, besides what was done to the same thing
// and what it is (`is`), which decides what else it must have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "container_ib/model.hpp"
#include "container_ib/vf.hpp"

namespace cib {

enum class ActionIs {
  plain,
  of_a_vf,       // has `vf`: done under the node's lock, and undone only for who has the VF's claim
  making_a_link  // has `temporary` and `owner`, by which the interface is known wherever it went
};

// A file that keeps a network namespace alive: "/run/container-ib/17.0/netns-3".
using NetnsFile = std::string;

struct MakeNetns {
  static constexpr std::string_view verb = "netns";
  static constexpr ActionIs is = ActionIs::plain;
  NetnsFile netns;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("netns", self.netns);
  }
  std::string thing() const { return netns; }
  std::vector<std::string> rests_on() const { return {}; }
  bool operator==(const MakeNetns&) const = default;
};

// The network namespace that the process is in, which is there already: the file keeps it until the undo.
struct PinNetns {
  static constexpr std::string_view verb = "netns_of";
  static constexpr ActionIs is = ActionIs::plain;
  NetnsFile netns;
  std::string pid, start;  // as ProcessIdentity has them

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("netns", self.netns);
    visit("pid", self.pid);
    visit("start", self.start);
  }
  std::string thing() const { return netns; }
  std::vector<std::string> rests_on() const { return {}; }
  bool operator==(const PinNetns&) const = default;
};

// Who claims: a step, the start time of its agent, since a job that was requeued has steps of the same names,
// and its user: "17.0@4711:1000". And the user of such a text, empty when it is none.
std::string claim_owner(const std::string& step, const std::string& agent_start, std::uint32_t uid);
std::optional<std::uint32_t> uid_of_claim(const std::string& owner);

// Nobody else on this node may use what has this name ("0000:21:00.1", "address-7") until it is released.
struct Claim {
  static constexpr std::string_view verb = "claim";
  static constexpr ActionIs is = ActionIs::plain;
  std::string name, owner;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("name", self.name);
    visit("owner", self.owner);
  }
  std::string thing() const { return name; }
  std::vector<std::string> rests_on() const { return {}; }
  bool operator==(const Claim&) const = default;
};

// Which VF, of which PF, and who has claimed it. Undoing anything of a VF that somebody else has claimed
// since does nothing. Of a whole device its own function stands for the PF.
struct VfIdentity {
  PciAddress pci;      // the VF's
  PciAddress physfn;   // its PF's
  unsigned index = 0;  // its number among the PF's VFs, from 0 (IFLA_VF_*, virtfnN)
  std::string owner;   // as the Claim had it

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("pci", self.pci);
    visit("physfn", self.physfn);
    visit("vf", self.index);
    visit("owner", self.owner);
  }
  std::string thing() const { return pci.text(); }  // as its claim's
  bool operator==(const VfIdentity&) const = default;
};

// Does nothing; its undo gives the VF's interface and RDMA device the names that they had.
struct KeepVfNames {
  static constexpr std::string_view verb = "vf_names";
  static constexpr ActionIs is = ActionIs::of_a_vf;
  VfIdentity vf;
  std::string netdev, rdma;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    VfIdentity::each_field(self.vf, visit);
    visit("netdev", self.netdev);
    visit("rdma", self.rdma);
  }
  std::string thing() const { return vf.thing(); }
  std::vector<std::string> rests_on() const { return {}; }
  bool operator==(const KeepVfNames&) const = default;
};

// Does nothing; its undo gives the device's interface the addresses, the MTU and the state again that it had
// on the node, where it comes back down and without any.
struct KeepAddresses {
  static constexpr std::string_view verb = "addresses";
  static constexpr ActionIs is = ActionIs::of_a_vf;
  VfIdentity vf;
  std::string addresses;  // "10.20.0.1/16,10.20.0.2/32"
  unsigned mtu = 0;       // bytes
  bool up = false;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    VfIdentity::each_field(self.vf, visit);
    visit("addresses", self.addresses);
    visit("mtu", self.mtu);
    visit("up", self.up);
  }
  std::string thing() const { return vf.thing(); }
  std::vector<std::string> rests_on() const { return {}; }
  bool operator==(const KeepAddresses&) const = default;
};

// `old`: what the undo sets again. The VF's driver is bound again when a GUID changes, since it reads them
// only then.
struct SetVf {
  static constexpr std::string_view verb = "vf_settings";
  static constexpr ActionIs is = ActionIs::of_a_vf;
  VfIdentity vf;
  VfSettings settings, old;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    VfIdentity::each_field(self.vf, visit);
    VfSettings::each_field(self.settings,
                           [&](const std::string& name, auto& value) { visit("new_" + name, value); });
    VfSettings::each_field(self.old,
                           [&](const std::string& name, auto& value) { visit("old_" + name, value); });
  }
  std::string thing() const { return vf.thing(); }
  std::vector<std::string> rests_on() const { return {}; }
  bool operator==(const SetVf&) const = default;
};

struct MoveRdmaDevice {
  static constexpr std::string_view verb = "rdma_move";
  static constexpr ActionIs is = ActionIs::of_a_vf;
  VfIdentity vf;
  NetnsFile netns;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    VfIdentity::each_field(self.vf, visit);
    visit("netns", self.netns);
  }
  std::string thing() const { return vf.thing(); }
  std::vector<std::string> rests_on() const { return {netns}; }
  bool operator==(const MoveRdmaDevice&) const = default;
};

// `remade`: the interface follows the VF's RDMA device home, where it is made anew, so the undo leaves it.
struct MoveVfLink {
  static constexpr std::string_view verb = "vf_link";
  static constexpr ActionIs is = ActionIs::of_a_vf;
  VfIdentity vf;
  NetnsFile netns;
  std::string name;  // in the namespace
  bool remade = false;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    VfIdentity::each_field(self.vf, visit);
    visit("netns", self.netns);
    visit("name", self.name);
    visit("remade", self.remade);
  }
  std::string thing() const { return vf.thing(); }
  std::vector<std::string> rests_on() const { return {netns}; }
  bool operator==(const MoveVfLink&) const = default;
};

struct MakeIpoibChild {
  static constexpr std::string_view verb = "ipoib_child";
  static constexpr ActionIs is = ActionIs::making_a_link;
  PciAddress parent = {};  // the HCA's function
  unsigned port = 1;       // 1-based
  NetnsFile netns = {};
  std::string name = {};                   // in the namespace
  std::string temporary = {};              // on the host, until it is moved; nobody else uses it
  std::string owner = {};                  // goes to ifalias, by which it is found again wherever it went
  std::optional<std::uint16_t> pkey = {};  // empty: the parent's
  bool connected = false;
  // Set: the namespace is a container's own, where there may be children that are nobody's of ours.
  std::optional<bool> among_others = {};

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("pci", self.parent);
    visit("port", self.port);
    visit("netns", self.netns);
    visit("name", self.name);
    visit("temporary", self.temporary);
    visit("owner", self.owner);
    visit("pkey", self.pkey);
    visit("connected", self.connected);
    visit("among_others", self.among_others);
  }
  std::string thing() const { return netns + '/' + name; }  // and not its HCA, which may have others
  std::vector<std::string> rests_on() const { return {netns}; }
  bool operator==(const MakeIpoibChild&) const = default;
};

// A macvlan interface on an Ethernet interface. Made where that is, and then moved.
struct MakeMacvlan {
  static constexpr std::string_view verb = "macvlan";
  static constexpr ActionIs is = ActionIs::making_a_link;
  std::string parent = {};                     // the interface that it lies on
  std::optional<NetnsFile> parent_netns = {};  // where that is; empty: on the node
  bool isolated = false;                       // "private": not reached by its siblings
  NetnsFile netns = {};
  std::string name = {};       // in the namespace
  std::string temporary = {};  // where the parent is, until it is moved; nobody else uses it
  std::string owner = {};      // goes to ifalias
  // Set: the namespace is a container's own, where there may be interfaces that are nobody's of ours.
  std::optional<bool> among_others = {};

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("parent", self.parent);
    visit("parent_netns", self.parent_netns);
    visit("isolated", self.isolated);
    visit("netns", self.netns);
    visit("name", self.name);
    visit("temporary", self.temporary);
    visit("owner", self.owner);
    visit("among_others", self.among_others);
  }
  std::string thing() const { return netns + '/' + name; }
  std::vector<std::string> rests_on() const {
    return parent_netns ? std::vector{netns, *parent_netns, *parent_netns + '/' + parent}
                        : std::vector{netns};
  }
  bool operator==(const MakeMacvlan&) const = default;
};

// A VXLAN interface in a namespace that no task is in, on which tasks have macvlan interfaces. What it sends
// goes by the node's own network, from the address `local` to those of `peers` alone.
struct MakeVxlan {
  static constexpr std::string_view verb = "vxlan";
  static constexpr ActionIs is = ActionIs::making_a_link;
  unsigned vni = 0;
  std::string local = {};  // "10.20.0.1", an address of the node's
  std::string peers = {};  // "10.20.0.2-10.20.0.9,10.20.0.12" (ipv4_ranges())
  NetnsFile netns = {};
  std::string name = {};       // in the namespace
  std::string temporary = {};  // on the node, until it is moved; nobody else uses it
  std::string owner = {};      // goes to ifalias

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("vni", self.vni);
    visit("local", self.local);
    visit("peers", self.peers);
    visit("netns", self.netns);
    visit("name", self.name);
    visit("temporary", self.temporary);
    visit("owner", self.owner);
  }
  std::string thing() const { return netns + '/' + name; }
  std::vector<std::string> rests_on() const { return {netns}; }
  bool operator==(const MakeVxlan&) const = default;
};

// For ifalias of an interface that is made for a step: "container-ib:17.0@4711:1000:netns-3:ib0".
std::string link_tag(const std::string& owner, const NetnsFile& netns, const std::string& name);
// Whether an interface that the node shows is, or may be, one that was made for a step.
bool is_made_for_a_step(const std::string& name, const std::string& alias);
// For `temporary` of what makes a link: 15 characters (IFNAMSIZ - 1) that no other owner's is likely to have.
std::string temporary_link_name(const std::string& owner);

// Goes with the interface, so its undo does nothing.
struct RaiseLink {
  static constexpr std::string_view verb = "link_up";
  static constexpr ActionIs is = ActionIs::plain;
  NetnsFile netns;
  std::string name;
  std::optional<unsigned> mtu;         // bytes; empty: as it is
  std::optional<std::string> address;  // "10.40.0.1/16"

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("netns", self.netns);
    visit("name", self.name);
    visit("mtu", self.mtu);
    visit("address", self.address);
  }
  std::string thing() const { return netns + '/' + name; }
  std::vector<std::string> rests_on() const { return {netns}; }
  bool operator==(const RaiseLink&) const = default;
};

// A task's folder (task_folder.hpp), empty, which Tasks::fill_folder() fills. Its undo takes what is in it
// from everybody who has it open.
struct MakeTaskFolder {
  static constexpr std::string_view verb = "task_folder";
  static constexpr ActionIs is = ActionIs::plain;
  std::string folder;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("folder", self.folder);
  }
  std::string thing() const { return folder; }
  std::vector<std::string> rests_on() const { return {}; }
  bool operator==(const MakeTaskFolder&) const = default;
};

// A cgroup that keeps devices from a container gets them (adapters/linux/device_cgroup.hpp); its undo takes
// them from it again.
struct WidenDeviceCgroup {
  static constexpr std::string_view verb = "device_cgroup";
  static constexpr ActionIs is = ActionIs::plain;
  std::string directory, inode;
  std::string devices;  // numbers of character devices: "231:192,10:58"

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("directory", self.directory);
    visit("inode", self.inode);
    visit("devices", self.devices);
  }
  std::string thing() const { return directory; }
  std::vector<std::string> rests_on() const { return {}; }
  bool operator==(const WidenDeviceCgroup&) const = default;
};

using Action =
    std::variant<MakeNetns, PinNetns, Claim, KeepAddresses, KeepVfNames, SetVf, MoveRdmaDevice, MoveVfLink,
                 MakeIpoibChild, MakeMacvlan, MakeVxlan, RaiseLink, MakeTaskFolder, WidenDeviceCgroup>;

std::string_view verb_of(const Action& action);
std::string thing_of(const Action& action);
std::vector<std::string> rests_on(const Action& action);
// Whether it makes the interface of that tag, or, as long as it has none, of that name.
bool makes_link(const Action& action, const std::string& name, const std::string& tag);

}  // namespace cib
