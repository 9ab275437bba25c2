#include "adapters/linux/user_namespace.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace cib {

namespace {

// PROC_USER_INIT_INO of include/linux/proc_ns.h, since Linux 3.8; those of later ones begin at 0xF0000000.
// A map of ids proves nothing: root may give a namespace all of the host's.
constexpr ino_t first_user_namespace = 0xEFFFFFFDU;

}  // namespace

Status check_hosts_user_namespace() {
  struct stat own {};
  if (::stat("/proc/self/ns/user", &own) != 0) return error(Errc::kernel, "stat /proc/self/ns/user", errno);
  if (own.st_ino == first_user_namespace) return {};
  return error(
      Errc::unsupported,
      "slurmstepd is in a user namespace here (CLONE_NEWUSER of Slurm's namespace/linux, or slurmd in "
      "a container), and container-ib needs the host's root; ask your administrator");
}

}  // namespace cib
