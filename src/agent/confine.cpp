#include "agent/confine.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "adapters/capabilities/capabilities.hpp"
#include "adapters/linux/cgroup.hpp"

namespace cib {

Status confine(int lifeline) {
  // The launcher did most of this already; here it is made sure, whoever started us.
  if (::close_range(static_cast<unsigned>(lifeline) + 1, ~0U, 0) != 0)
    return error(Errc::kernel, "close_range", errno);
  if (::fcntl(lifeline, F_SETFD, FD_CLOEXEC) != 0)
    return error(Errc::kernel, "the lifeline is not open", errno);
  ::umask(077);
  if (::chdir("/") != 0) return error(Errc::kernel, "chdir /", errno);
  // A step of 4,096 tasks has some 16,000 descriptors here.
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &files);
  }
  // The lifeline ends us, in order; a signal would leave things behind.
  for (const int sig : {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2})
    if (::signal(sig, SIG_IGN) == SIG_ERR) return error(Errc::kernel, "ignore signal", errno);
  CIB_CHECK(leave_step_cgroup());
  return keep_needed_capabilities(Privileges::of_agent);
}

}  // namespace cib
