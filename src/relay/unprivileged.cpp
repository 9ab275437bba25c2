#include "relay/unprivileged.hpp"

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "adapters/capabilities/capabilities.hpp"

namespace cib {

Status become_nobody() {
  constexpr gid_t group = 65534;
  constexpr uid_t user = 65534;
  if (::setgroups(0, nullptr) != 0) return error(Errc::kernel, "drop supplementary groups", errno);
  if (::setresgid(group, group, group) != 0) return error(Errc::kernel, "become group 65534", errno);
  if (::setresuid(user, user, user) != 0) return error(Errc::kernel, "become user 65534", errno);
  // The change of user has cleared them, unless a securebit that was inherited says otherwise.
  CIB_CHECK(drop_capabilities());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return error(Errc::kernel, "set no_new_privs", errno);
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return error(Errc::kernel, "forbid core dumps", errno);
  return {};
}

}  // namespace cib
