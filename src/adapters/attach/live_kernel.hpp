// The actions on this machine.
#pragma once

#include "adapters/state/claims.hpp"
#include "container_ib/world/kernel.hpp"

namespace cib {

class LiveKernel final : public Kernel {
 public:
  explicit LiveKernel(std::string state_dir) : state_dir_(state_dir), claims_(std::move(state_dir)) {}

  Status apply(const Action& action) override;
  Status undo(const Action& action) override;
  Status verify(const Action& action) override;
  Result<std::unique_ptr<ClaimsTurn>> claims_turn() override;

 private:
  // The others are in the files of their kind: an action without all three does not compile.
  template <class Kind>
  Status apply_one(const Kind& action);
  template <class Kind>
  Status undo_one(const Kind& action);
  template <class Kind>
  Status verify_one(const Kind& action);
  Status apply_one(const Claim& claim);
  Status undo_one(const Claim& claim);
  Status verify_one(const Claim& claim);

  std::string state_dir_;
  Claims claims_;
};

}  // namespace cib
