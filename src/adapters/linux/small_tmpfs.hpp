// A small file system of our own, to be filled by descriptor and attached anywhere afterwards.
#pragma once

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// The source that /proc/PID/mountinfo shows of it.
inline constexpr const char* source_of_our_mounts = "container-ib";

enum class TmpfsFor {
  nodes,      // at most 64 KiB, of devices and texts; nothing in it can be run
  libraries,  // at most 32 MiB, without devices; can be loaded
};

// A tmpfs whose top is 0755, without set-user-ID bits, attached nowhere yet. It is owned by the host's user
// namespace: one that belongs to a container's would not let anyone open a device (fs/super.c SB_I_NODEV).
Result<UniqueFd> make_small_tmpfs(TmpfsFor what = TmpfsFor::nodes);
// Nothing in it changes from now on.
Status make_read_only(const UniqueFd& mount);

}  // namespace cib
