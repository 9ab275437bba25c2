// openat2(2), for which the C library has no function.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace cib {

// `resolve`: RESOLVE_* of <linux/openat2.h>, to which RESOLVE_NO_MAGICLINKS is added. A descriptor, which is
// the caller's to close, or -1 and errno.
inline int open_resolved(int at, const char* path, std::uint64_t flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, at, path, &how, sizeof how));
}

// Opens for reading what an O_PATH descriptor has found, and not its name once more: in between that may have
// become a device, for which open(2) can do anything. `proc` is a /proc that shows this process.
inline int open_found(int proc, int found) {
  const std::string again = "self/fd/" + std::to_string(found);
  return ::openat(proc, again.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

}  // namespace cib
