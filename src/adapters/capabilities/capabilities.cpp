#include "adapters/capabilities/capabilities.hpp"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <type_traits>

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

bool is_needed(cap_value_t cap, Privileges which) {
  const bool starts_the_relay = which == Privileges::of_agent;
  if (!starts_the_relay && (cap == CAP_SETUID || cap == CAP_SETGID)) return false;
  return std::find(std::begin(needed), std::end(needed), cap) != std::end(needed);
}

}  // namespace

Status keep_needed_capabilities(Privileges which) {
  const Capabilities had(::cap_get_proc(), ::cap_free), kept(::cap_init(), ::cap_free);
  if (!had || !kept) return error(Errc::kernel, "read capabilities", errno);
  for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; ++cap) {
    cap_flag_value_t has = CAP_CLEAR;
    if (!is_needed(cap, which)) {
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

bool root_may_raise_limits() { return ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) == 1; }

Status drop_capabilities() {
  const Capabilities none(::cap_init(), ::cap_free);
  if (!none || ::cap_set_proc(none.get()) != 0) return error(Errc::kernel, "drop capabilities", errno);
  return {};
}

}  // namespace cib
