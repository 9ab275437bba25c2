#include "adapters/attach/live_kernel.hpp"

#include <array>

#include "adapters/attach/ipoib_actions.hpp"
#include "adapters/attach/vf_actions.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr int lock_timeout_ms = 30'000;  // several steps may each re-register a VF or two
constexpr int turn_timeout_ms = 10'000;  // they count and claim, for milliseconds each

class LiveTurn final : public ClaimsTurn {
 public:
  explicit LiveTurn(NodeLock lock) : lock_(std::move(lock)) {}

 private:
  NodeLock lock_;
};

Status nothing(const Action&) { return {}; }

Status apply_netns(const Action& action) {
  CIB_TRY(const UniqueFd netns, make_network_namespace());
  return pin_network_namespace(netns, action.field("netns"));
}
Status revert_netns(const Action& action) { return unpin_network_namespace(action.field("netns")); }
Status verify_netns(const Action& action) {
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(action.field("netns")));
  return {};
}

struct Verb {
  std::string_view name;
  bool of_a_vf;  // under the node's lock, and undone only for who has the claim
  Status (*apply)(const Action&);
  Status (*revert)(const Action&);
  Status (*verify)(const Action&);
};

constexpr std::array verbs = {
    Verb{"netns", false, apply_netns, revert_netns, verify_netns},
    Verb{"vf_names", true, nothing, restore_vf_names, nothing},
    Verb{"vf_settings", true, apply_vf_settings, revert_vf_settings, verify_vf_settings},
    Verb{"rdma_move", true, apply_rdma_move, revert_rdma_move, verify_rdma_move},
    Verb{"vf_link", true, apply_vf_link, revert_vf_link, verify_vf_link},
    Verb{"ipoib_child", false, apply_ipoib_child, revert_ipoib_child, verify_ipoib_child},
    Verb{"link_up", false, apply_link_up, nothing, verify_link_up},
};

const Verb* find_verb(const std::string& name) {
  for (const Verb& verb : verbs)
    if (verb.name == name) return &verb;
  return nullptr;
}

Error unknown(const Action& action) { return error(Errc::corrupt, "unknown action '" + action.verb + "'"); }

}  // namespace

Status LiveKernel::apply(const Action& action) {
  if (action.verb == "claim") return claims_.take(action.field("name"), action.field("owner"));
  const Verb* verb = find_verb(action.verb);
  if (verb == nullptr) return unknown(action);
  if (verb->name == "netns") CIB_CHECK(make_private_mount(state_dir_));
  if (!verb->of_a_vf) return verb->apply(action);
  CIB_TRY(const NodeLock lock, NodeLock::take(state_dir_, NodeLock::Of::devices, lock_timeout_ms));
  return verb->apply(action);
}

Status LiveKernel::revert(const Action& action) {
  if (action.verb == "claim") return claims_.release(action.field("name"), action.field("owner"));
  const Verb* verb = find_verb(action.verb);
  if (verb == nullptr) return unknown(action);
  if (!verb->of_a_vf) return verb->revert(action);
  CIB_TRY(const NodeLock lock, NodeLock::take(state_dir_, NodeLock::Of::devices, lock_timeout_ms));
  CIB_TRY(const std::string owner, claims_.owner_of(action.field("pci")));
  if (owner != action.field("owner")) return {};
  return verb->revert(action);
}

Status LiveKernel::verify(const Action& action) {
  if (action.verb == "claim") return verify_claim(action);
  const Verb* verb = find_verb(action.verb);
  return verb == nullptr ? unknown(action) : verb->verify(action);
}

Result<std::unique_ptr<ClaimsTurn>> LiveKernel::claims_turn() {
  CIB_TRY(NodeLock lock, NodeLock::take(state_dir_, NodeLock::Of::claiming, turn_timeout_ms));
  return std::unique_ptr<ClaimsTurn>(std::make_unique<LiveTurn>(std::move(lock)));
}

Status LiveKernel::verify_claim(const Action& action) {
  CIB_TRY(const std::string owner, claims_.owner_of(action.field("name")));
  if (owner == action.field("owner")) return {};
  return error(Errc::not_found, "the claim of " + action.field("name") +
                                    (owner.empty() ? " is gone" : " is now that of " + printable(owner)));
}

}  // namespace cib
