#include "agent/confine.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <type_traits>

#include "adapters/linux/cgroup.hpp"

namespace cib {

namespace {

// What for: links, VFs and RDMA devices (NET_ADMIN), entering namespaces and mounting (SYS_ADMIN, SYS_CHROOT
// for setns), device nodes (MKNOD, CHOWN, FOWNER), raising limits (SYS_RESOURCE), ending survivors (KILL),
// reading /proc/PID/ns of other users' processes (SYS_PTRACE), files of the state directory whatever their
// owner (DAC_OVERRIDE), and the relay, which becomes nobody (SETUID, SETGID).
constexpr cap_value_t needed[] = {CAP_NET_ADMIN,  CAP_SYS_ADMIN,    CAP_SYS_CHROOT,   CAP_MKNOD,
                                  CAP_CHOWN,      CAP_FOWNER,       CAP_SYS_RESOURCE, CAP_KILL,
                                  CAP_SYS_PTRACE, CAP_DAC_OVERRIDE, CAP_SETUID,       CAP_SETGID};

using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)>;

bool is_needed(cap_value_t cap) {
  return std::find(std::begin(needed), std::end(needed), cap) != std::end(needed);
}

// Of those, what this process has: inside a container that runs slurmd some may be missing, and then the call
// that wants them says so.
Status keep_needed_capabilities() {
  const Capabilities had(::cap_get_proc(), ::cap_free), kept(::cap_init(), ::cap_free);
  if (!had || !kept) return error(Errc::kernel, "read capabilities", errno);
  for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; ++cap) {
    cap_flag_value_t has = CAP_CLEAR;
    if (!is_needed(cap)) {
      if (::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL &&
          errno != EPERM)  // EINVAL: unknown to this kernel
        return error(Errc::kernel, "drop capability " + std::to_string(cap), errno);
    } else if (::cap_get_flag(had.get(), cap, CAP_PERMITTED, &has) == 0 && has == CAP_SET) {
      if (::cap_set_flag(kept.get(), CAP_PERMITTED, 1, &cap, CAP_SET) != 0 ||
          ::cap_set_flag(kept.get(), CAP_EFFECTIVE, 1, &cap, CAP_SET) != 0)
        return error(Errc::kernel, "keep capability " + std::to_string(cap), errno);
    }
  }
  if (::cap_set_proc(kept.get()) != 0) return error(Errc::kernel, "set capabilities", errno);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return error(Errc::kernel, "set no_new_privs", errno);
  return {};
}

}  // namespace

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
  return keep_needed_capabilities();
}

}  // namespace cib
