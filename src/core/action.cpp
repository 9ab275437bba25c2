#include "container_ib/action.hpp"

#include "container_ib/hash.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

using Fields = std::map<std::string, std::string>;

Fields identity(const VfIdentity& vf) {
  return {{"pci", vf.pci.text()},
          {"physfn", vf.physfn.text()},
          {"vf", std::to_string(vf.index)},
          {"owner", vf.owner}};
}

Fields with(Fields fields, Fields more) {
  fields.merge(more);
  return fields;
}

}  // namespace

std::string Action::field(const std::string& key) const {
  const auto it = fields.find(key);
  return it == fields.end() ? std::string() : it->second;
}

std::string claim_owner(const std::string& step, const std::string& agent_start, std::uint32_t uid) {
  return step + '@' + agent_start + ':' + std::to_string(uid);
}

std::optional<std::uint32_t> uid_of_claim(const std::string& owner) {
  const auto colon = owner.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return whole_number<std::uint32_t>(owner.substr(colon + 1));
}

Action make_netns(const NetnsFile& file) { return {"netns", {{"netns", file}}}; }

Action make_claim(const std::string& name, const std::string& owner) {
  return {"claim", {{"name", name}, {"owner", owner}}};
}

Result<VfIdentity> vf_identity(const Action& action) {
  VfIdentity vf;
  CIB_TRY(vf.pci, PciAddress::parse(action.field("pci")));
  CIB_TRY(vf.physfn, PciAddress::parse(action.field("physfn")));
  const auto index = whole_number<unsigned>(action.field("vf"));
  if (!index) return error(Errc::corrupt, action.verb + " without the number of a VF");
  vf.index = *index;
  vf.owner = action.field("owner");
  return vf;
}

Action make_vf_names(const VfIdentity& vf, const std::string& netdev, const std::string& rdma) {
  return {"vf_names", with(identity(vf), {{"netdev", netdev}, {"rdma", rdma}})};
}

Action make_vf_settings(const VfIdentity& vf, const VfSettings& settings, const VfSettings& old) {
  return {"vf_settings", with(with(identity(vf), vf_fields(settings, "new_")), vf_fields(old, "old_"))};
}

Action make_rdma_move(const VfIdentity& vf, const NetnsFile& netns) {
  return {"rdma_move", with(identity(vf), {{"netns", netns}})};
}

Action make_vf_link(const VfIdentity& vf, const NetnsFile& netns, const std::string& name, bool remade) {
  return {"vf_link",
          with(identity(vf), {{"netns", netns}, {"name", name}, {"remade", remade ? "yes" : "no"}})};
}

std::string temporary_link_name(const std::string& owner) {
  Hash hash;
  hash.add(owner);
  return "cib" + hex(hash.number() >> 16, 12);
}

Action make_ipoib_child(const IpoibPlan& plan) {
  Action action{"ipoib_child",
                {{"pci", plan.parent.text()},
                 {"port", std::to_string(plan.port)},
                 {"netns", plan.netns},
                 {"name", plan.name},
                 {"temporary", plan.temporary},
                 {"owner", plan.owner},
                 {"connected", plan.connected ? "yes" : "no"}}};
  if (plan.pkey) action.fields["pkey"] = "0x" + hex(*plan.pkey, 4);
  return action;
}

Result<IpoibPlan> ipoib_plan(const Action& action) {
  IpoibPlan plan;
  CIB_TRY(plan.parent, PciAddress::parse(action.field("pci")));
  const auto port = whole_number<unsigned>(action.field("port"));
  if (!port) return error(Errc::corrupt, action.verb + " without the number of a port");
  plan.port = *port;
  plan.netns = action.field("netns");
  plan.name = action.field("name");
  plan.temporary = action.field("temporary");
  plan.owner = action.field("owner");
  plan.connected = action.field("connected") == "yes";
  const std::string pkey = action.field("pkey");
  if (pkey.starts_with("0x")) plan.pkey = whole_number<std::uint16_t>(pkey.substr(2), 16);
  return plan;
}

Action make_link_up(const NetnsFile& netns, const std::string& name, unsigned mtu,
                    const std::string& address) {
  Action action{"link_up", {{"netns", netns}, {"name", name}}};
  if (mtu != 0) action.fields["mtu"] = std::to_string(mtu);
  if (!address.empty()) action.fields["address"] = address;
  return action;
}

}  // namespace cib
