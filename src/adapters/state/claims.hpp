// Who of the steps on this node has what can only be had once: a VF, an address. A claim is a file below the
// state directory with the owner in it; it outlives its owner's death until somebody reaps.
#pragma once

#include <map>
#include <string>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

class Claims {
 public:
  explicit Claims(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  // Takes it. An error of code in_use when somebody has it, be it the same owner.
  Status take(const std::string& name, const std::string& owner);
  // Success when it is not, or no longer, this owner's.
  Status release(const std::string& name, const std::string& owner);
  // The rest only reads. By name, the owner.
  Result<std::map<std::string, std::string>> all();
  // Empty when nobody has it.
  Result<std::string> owner_of(const std::string& name);

 private:
  Result<UniqueFd> open_directory(bool make);

  std::string state_dir_;
};

// While it lives, no other process on this node has it. Who waits gets it in the order of coming, within a
// bounded time.
class NodeLock {
 public:
  enum class Of {
    devices,   // re-registrations of RDMA devices: their uverbs minors change hands
    claiming,  // counting what nobody has, and claiming it
  };
  static Result<NodeLock> take(const std::string& state_dir, Of what, int timeout_ms);

 private:
  explicit NodeLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;  // closing it unlocks
};

}  // namespace cib
