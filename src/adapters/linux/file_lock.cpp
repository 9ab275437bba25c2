#include "adapters/linux/file_lock.hpp"

#include <sys/file.h>
#include <time.h>

#include <cerrno>

#include "adapters/linux/deadline.hpp"

namespace cib {

// flock(2) itself waits without bound.
Status lock(const UniqueFd& file, const std::string& path, int timeout_ms) {
  const Deadline deadline(timeout_ms);
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return error(Errc::kernel, "lock " + path, errno);
    if (deadline.passed())
      return error(Errc::timed_out,
                   "another process holds " + path + " for " + std::to_string(timeout_ms / 1000) + " s");
    const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
    (void)::nanosleep(&pause, nullptr);
  }
  return {};
}

}  // namespace cib
