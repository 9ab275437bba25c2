#include "adapters/linux/memlock.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "adapters/linux/process.hpp"

namespace cib {

Status raise_memlock_of(int pidfd, std::optional<std::uint64_t> cap) {
  CIB_TRY(const pid_t pid, pid_of(pidfd));
  const auto failed = [&](const char* doing) {
    return error(errno == ESRCH ? Errc::ended : Errc::kernel,
                 std::string(doing) + " the memlock limit of pid " + std::to_string(pid), errno);
  };
  const rlim_t wanted = cap ? rlim_t{*cap} : RLIM_INFINITY;  // RLIM_INFINITY is the largest rlim_t
  rlimit limit{};
  if (::prlimit(pid, RLIMIT_MEMLOCK, nullptr, &limit) != 0) return failed("read");
  limit.rlim_max = std::max(limit.rlim_max, wanted);
  limit.rlim_cur = std::max(limit.rlim_cur, wanted);
  if (!holds_number(pidfd, pid)) return error(Errc::ended, "the task has ended");
  if (::prlimit(pid, RLIMIT_MEMLOCK, &limit, nullptr) != 0) return failed("raise");
  if (!holds_number(pidfd, pid)) return error(Errc::ended, "the task has ended");
  return {};
}

}  // namespace cib
