// The actions on this machine.
#pragma once

#include "adapters/state/claims.hpp"
#include "container_ib/ports/kernel.hpp"

namespace cib {

class LiveKernel final : public Kernel {
 public:
  explicit LiveKernel(std::string state_dir) : state_dir_(state_dir), claims_(std::move(state_dir)) {}

  Status apply(const Action& action) override;
  Status revert(const Action& action) override;
  Status verify(const Action& action) override;
  Result<std::unique_ptr<ClaimsTurn>> claims_turn() override;

 private:
  Status verify_claim(const Action& action);

  std::string state_dir_;
  Claims claims_;
};

}  // namespace cib
