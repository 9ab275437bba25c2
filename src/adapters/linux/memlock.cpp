#include "adapters/linux/memlock.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace cib {

Status raise_memlock_of(pid_t pid, std::optional<std::uint64_t> cap) {
  const rlim_t wanted = cap ? rlim_t{*cap} : RLIM_INFINITY;  // RLIM_INFINITY is the largest rlim_t
  rlimit limit{};
  if (::prlimit(pid, RLIMIT_MEMLOCK, nullptr, &limit) != 0)
    return error(errno == ESRCH ? Errc::unavailable : Errc::kernel,
                 "read the memlock limit of pid " + std::to_string(pid), errno);
  limit.rlim_max = std::max(limit.rlim_max, wanted);
  limit.rlim_cur = std::max(limit.rlim_cur, wanted);
  if (::prlimit(pid, RLIMIT_MEMLOCK, &limit, nullptr) != 0)
    return error(errno == ESRCH ? Errc::unavailable : Errc::kernel,
                 "raise the memlock limit of pid " + std::to_string(pid), errno);
  return {};
}

}  // namespace cib
