#include "adapters/attach/live_kernel.hpp"

#include "adapters/attach/cgroup_actions.hpp"
#include "adapters/attach/folder_actions.hpp"
#include "adapters/attach/ipoib_actions.hpp"
#include "adapters/attach/macvlan_actions.hpp"
#include "adapters/attach/network_actions.hpp"
#include "adapters/attach/vf_actions.hpp"
#include "adapters/attach/vxlan_actions.hpp"
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

}  // namespace

Status LiveKernel::apply(const Action& action) {
  return std::visit([&](const auto& one) { return apply_one(one); }, action);
}

Status LiveKernel::undo(const Action& action) {
  return std::visit([&](const auto& one) { return undo_one(one); }, action);
}

Status LiveKernel::verify(const Action& action) {
  return std::visit([&](const auto& one) { return verify_one(one); }, action);
}

template <class Kind>
Status LiveKernel::apply_one(const Kind& action) {
  if constexpr (std::is_same_v<Kind, MakeNetns> || std::is_same_v<Kind, PinNetns>)
    CIB_CHECK(make_private_mount(state_dir_));
  if constexpr (Kind::is != ActionIs::of_a_vf) {
    return cib::apply(action);
  } else {
    CIB_TRY(const NodeLock lock, NodeLock::take(state_dir_, NodeLock::Of::devices, lock_timeout_ms));
    return cib::apply(action);
  }
}

template <class Kind>
Status LiveKernel::undo_one(const Kind& action) {
  if constexpr (Kind::is != ActionIs::of_a_vf) {
    return cib::undo(action);
  } else {
    CIB_TRY(const NodeLock lock, NodeLock::take(state_dir_, NodeLock::Of::devices, lock_timeout_ms));
    CIB_TRY(const std::string owner, claims_.owner_of(action.vf.pci.text()));
    return owner == action.vf.owner ? cib::undo(action) : Status();
  }
}

template <class Kind>
Status LiveKernel::verify_one(const Kind& action) {
  return cib::verify(action);
}

Status LiveKernel::apply_one(const Claim& claim) { return claims_.take(claim.name, claim.owner); }

Status LiveKernel::undo_one(const Claim& claim) { return claims_.release(claim.name, claim.owner); }

Status LiveKernel::verify_one(const Claim& claim) {
  CIB_TRY(const std::string owner, claims_.owner_of(claim.name));
  if (owner == claim.owner) return {};
  return error(Errc::not_found, "the claim of " + claim.name +
                                    (owner.empty() ? " is gone" : " is now that of " + printable(owner)));
}

Result<std::unique_ptr<ClaimsTurn>> LiveKernel::claims_turn() {
  CIB_TRY(NodeLock lock, NodeLock::take(state_dir_, NodeLock::Of::claiming, turn_timeout_ms));
  return std::unique_ptr<ClaimsTurn>(std::make_unique<LiveTurn>(std::move(lock)));
}

}  // namespace cib
