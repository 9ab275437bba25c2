// Who of the steps on this node has what can only be had once: a VF, an address. A claim is a file below the
// state directory with the owner in it; it outlives its owner's death until somebody reaps.
#pragma once

#include <string>
#include <vector>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

class Claims {
 public:
  explicit Claims(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  // Takes it. An error of code unavailable when somebody has it, be it the same owner.
  Status take(const std::string& name, const std::string& owner);
  // Success when it is not, or no longer, this owner's.
  Status release(const std::string& name, const std::string& owner);
  // The rest only reads. Names, sorted.
  Result<std::vector<std::string>> all();
  // Empty when nobody has it.
  Result<std::string> owner_of(const std::string& name);

 private:
  Result<UniqueFd> open_directory(bool make);

  std::string state_dir_;
};

// While it lives, no other process on this node has it: re-registrations of RDMA devices, of which only one
// may go on at a time, since their uverbs minors change hands. Waits a bounded time.
class NodeLock {
 public:
  static Result<NodeLock> take(const std::string& state_dir, int timeout_ms);

 private:
  explicit NodeLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;  // closing it unlocks
};

}  // namespace cib
