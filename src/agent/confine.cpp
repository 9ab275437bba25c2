#include "agent/confine.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "adapters/linux/cgroup.hpp"

namespace cib {

namespace {

// What for: entering mount namespaces and mounting (SYS_ADMIN, SYS_CHROOT for setns), device nodes (MKNOD, CHOWN,
// FOWNER), raising limits (SYS_RESOURCE), ending survivors (KILL), reading /proc/PID/ns of other users' processes
// (SYS_PTRACE), and files of the state directory whatever their owner (DAC_OVERRIDE).
constexpr cap_value_t needed[] = {CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_MKNOD,      CAP_CHOWN,       CAP_FOWNER,
                                  CAP_SYS_RESOURCE, CAP_KILL,     CAP_SYS_PTRACE, CAP_DAC_OVERRIDE};

Status keep_needed_capabilities() {
  for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; ++cap) {
    bool keep = false;
    for (const cap_value_t one : needed) keep = keep || one == cap;
    if (!keep && ::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL)  // EINVAL: newer than this kernel
      return error(Errc::kernel, "drop capability " + std::to_string(cap), errno);
  }
  const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> caps(::cap_init(), ::cap_free);
  constexpr int count = static_cast<int>(std::size(needed));
  if (!caps || ::cap_set_flag(caps.get(), CAP_PERMITTED, count, needed, CAP_SET) != 0 ||
      ::cap_set_flag(caps.get(), CAP_EFFECTIVE, count, needed, CAP_SET) != 0 || ::cap_set_proc(caps.get()) != 0)
    return error(Errc::kernel, "set capabilities", errno);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return error(Errc::kernel, "set no_new_privs", errno);
  return {};
}

}  // namespace

Status confine(int lifeline) {
  // The launcher did most of this already; here it is made sure, whoever started us.
  if (::close_range(static_cast<unsigned>(lifeline) + 1, ~0U, 0) != 0) return error(Errc::kernel, "close_range", errno);
  if (::fcntl(lifeline, F_SETFD, FD_CLOEXEC) != 0) return error(Errc::kernel, "the lifeline is not open", errno);
  ::umask(077);
  if (::chdir("/") != 0) return error(Errc::kernel, "chdir /", errno);
  // The lifeline ends us, in order; a signal would leave things behind.
  for (const int sig : {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2})
    if (::signal(sig, SIG_IGN) == SIG_ERR) return error(Errc::kernel, "ignore signal", errno);
  CIB_CHECK(leave_step_cgroup());
  return keep_needed_capabilities();
}

}  // namespace cib
