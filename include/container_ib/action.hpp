// One change of a node as data: what is written to the journal before it is done, and what it is undone from.
//
// The table of all of them, their order and their undo: doc/adr/0004-order-of-an-attach.md. The makers below
// are the only place that knows the names of the fields besides the adapter that carries them out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "container_ib/model.hpp"
#include "container_ib/vf.hpp"

namespace cib {

struct Action {
  std::string verb;
  std::map<std::string, std::string> fields;

  std::string field(const std::string& key) const;  // empty when absent
};

// A file that keeps a network namespace alive: "/run/container-ib/17.0/netns-3".
using NetnsFile = std::string;

Action make_netns(const NetnsFile& file);

// Who claims: a step, the start time of its agent, since a job that was requeued has steps of the same names,
// and its user: "17.0@4711:1000". And the user of such a text, empty when it is none.
std::string claim_owner(const std::string& step, const std::string& agent_start, std::uint32_t uid);
std::optional<std::uint32_t> uid_of_claim(const std::string& owner);

// Nobody else on this node may use what has this name ("0000:21:00.1", "address-7") until it is released.
Action make_claim(const std::string& name, const std::string& owner);

// Which VF, of which PF, and who has claimed it. Undoing anything of a VF that somebody else has claimed
// since does nothing.
struct VfIdentity {
  PciAddress pci;      // the VF's
  PciAddress physfn;   // its PF's
  unsigned index = 0;  // its number among the PF's VFs, from 0 (IFLA_VF_*, virtfnN)
  std::string owner;   // as make_claim() had it
};
Result<VfIdentity> vf_identity(const Action& action);

// Does nothing; its undo gives the VF's interface and RDMA device the names that they had.
Action make_vf_names(const VfIdentity& vf, const std::string& netdev, const std::string& rdma);
// `old`: what the undo sets again. The VF's driver is bound again when a GUID changes, since it reads them
// only then.
Action make_vf_settings(const VfIdentity& vf, const VfSettings& settings, const VfSettings& old);
Action make_rdma_move(const VfIdentity& vf, const NetnsFile& netns);
// `remade`: the interface follows the VF's RDMA device home, where it is made anew, so the undo leaves it.
Action make_vf_link(const VfIdentity& vf, const NetnsFile& netns, const std::string& name, bool remade);

struct IpoibPlan {
  PciAddress parent;  // the HCA's function
  unsigned port = 1;  // 1-based
  NetnsFile netns;
  std::string name;                   // in the namespace
  std::string temporary;              // on the host, until it is moved; nobody else uses it
  std::string owner;                  // goes to ifalias, by which it is found again wherever it went
  std::optional<std::uint16_t> pkey;  // empty: the parent's
  bool connected = false;
};
// For IpoibPlan::temporary: 15 characters (IFNAMSIZ - 1) that no other owner's is likely to have.
std::string temporary_link_name(const std::string& owner);
Action make_ipoib_child(const IpoibPlan& plan);
Result<IpoibPlan> ipoib_plan(const Action& action);

// MTU 0: as it is. Address "10.40.0.1/16", or empty. Goes with the interface, so it has no undo.
Action make_link_up(const NetnsFile& netns, const std::string& name, unsigned mtu,
                    const std::string& address);

}  // namespace cib
