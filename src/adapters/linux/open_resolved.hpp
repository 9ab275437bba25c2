// openat2(2), for which the C library has no function.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace cib {

// `resolve`: RESOLVE_* of <linux/openat2.h>, to which RESOLVE_NO_MAGICLINKS is added. A descriptor, which is
// the caller's to close, or -1 and errno.
inline int open_resolved(int at, const char* path, std::uint64_t flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, at, path, &how, sizeof how));
}

}  // namespace cib
