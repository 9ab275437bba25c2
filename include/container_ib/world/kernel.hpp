// The kernel objects of an attachment: network namespaces, links, RDMA devices, VF settings, claims.
#pragma once

#include <memory>

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

class ClaimsTurn {
 public:
  virtual ~ClaimsTurn() = default;
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  // Carries the action out. On an error some of it may have been done.
  virtual Status apply(const Action& action) = 0;
  // Undoes it, from the action alone: whoever reaps is another process than who applied. Success when there
  // is nothing to undo, since it never happened, happened in part, or was undone before. An error when what
  // it took cannot be proven to be back.
  virtual Status undo(const Action& action) = 0;
  // Whether an action that was applied holds now; the error says what is otherwise, or why that cannot be
  // seen. Reads only.
  virtual Status verify(const Action& action) = 0;

  // While the result lives no other step on this node claims anything, so what was counted holds. First come,
  // first served, in bounded time.
  virtual Result<std::unique_ptr<ClaimsTurn>> claims_turn() = 0;
};

}  // namespace cib
