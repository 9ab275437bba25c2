#include "adapters/linux/network_namespace.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "adapters/linux/file_lock.hpp"
#include "adapters/linux/namespaces.hpp"
#include "adapters/linux/process.hpp"

namespace cib {

namespace {

constexpr const char* own_namespace = "/proc/self/ns/net";
constexpr int lock_timeout_ms = 10'000;  // held for a few system calls

// Of the calling thread's namespace.
Status raise_loopback() {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));  // any kind carries this ioctl
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP;
  if (!socket || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    return error(Errc::kernel, "raise lo in the new network namespace", errno);
  return {};
}

}  // namespace

Result<UniqueFd> open_own_network_namespace() {
  UniqueFd ns(::open(own_namespace, O_RDONLY | O_CLOEXEC));
  if (!ns) return error(Errc::kernel, "open this process's network namespace", errno);
  return ns;
}

Result<UniqueFd> make_network_namespace() {
  CIB_TRY(const UniqueFd home, open_own_network_namespace());
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to(home.get()));  // which brings us back
  if (::unshare(CLONE_NEWNET) != 0) return error(Errc::kernel, "make a network namespace", errno);
  CIB_CHECK(raise_loopback());
  return open_own_network_namespace();
}

Result<UniqueFd> open_network_namespace_of(int pidfd, pid_t pid) {
  const std::string process = "pid " + std::to_string(pid), path = "/proc/" + std::to_string(pid) + "/ns/net";
  UniqueFd ns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!ns && errno != ENOENT) return error(Errc::kernel, "open " + path, errno);
  // Asked last: so what was opened is of that process.
  if (!ns || has_ended(pidfd) || !holds_number(pidfd, pid)) return error(Errc::ended, process + " has ended");
  CIB_TRY(const auto theirs, namespace_of_descriptor(ns.get(), "net"));
  CIB_TRY(const UniqueFd own, open_own_network_namespace());
  CIB_TRY(const auto nodes, namespace_of_descriptor(own.get(), "net"));
  if (theirs == nodes)
    return error(Errc::denied, process +
                                   " is in the node's own network, which gets no interface; mode verbs "
                                   "needs none");
  const UniqueFd owner(::ioctl(ns.get(), NS_GET_USERNS));
  if (!owner) return error(Errc::kernel, "find the owner of the network namespace of " + process, errno);
  CIB_TRY(const auto its_user, namespace_of_descriptor(owner.get(), "user"));
  CIB_TRY(const auto hosts_user, namespace_of_process(::getpid(), "user"));
  if (its_user == hosts_user) return ns;
  return error(Errc::denied,
               "the network of " + process +
                   " belongs to a user namespace of the container's, whose root could change the "
                   "HCA's settings through the interface; mode verbs needs none");
}

// Under a lock, or two agents at once would put one on the other.
Status make_private_mount(const std::string& directory) {
  const UniqueFd folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return error(Errc::kernel, "open " + directory, errno);
  CIB_CHECK(lock(folder, directory, lock_timeout_ms));
  struct statx status {};
  if (::statx(AT_FDCWD, directory.c_str(), AT_SYMLINK_NOFOLLOW, 0, &status) != 0)
    return error(Errc::kernel, "stat " + directory, errno);
  const bool is_mount = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  if (!is_mount && ::mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return error(Errc::kernel, "make a mount of " + directory, errno);
  if (::mount(nullptr, directory.c_str(), nullptr, MS_PRIVATE, nullptr) != 0)
    return error(Errc::kernel, "make the mount " + directory + " private", errno);
  return {};
}

Status pin_network_namespace(const UniqueFd& ns, const std::string& file) {
  const UniqueFd made(::open(file.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
  if (!made) return error(Errc::kernel, "create " + file, errno);
  if (::mount(path_of(ns).c_str(), file.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return error(Errc::kernel, "keep a network namespace in " + file, errno);
  return {};
}

Result<UniqueFd> open_pinned_network_namespace(const std::string& file) {
  UniqueFd ns(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!ns) return error(errno == ENOENT ? Errc::not_found : Errc::kernel, "open " + file, errno);
  if (::ioctl(ns.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return error(Errc::not_found, file + " keeps no network namespace");
  return ns;
}

Status unpin_network_namespace(const std::string& file) {
  // EINVAL: a file that nothing was mounted on yet.
  if (::umount2(file.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT)
    return error(Errc::kernel, "let go of the network namespace in " + file, errno);
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) return error(Errc::kernel, "remove " + file, errno);
  return {};
}

Result<NetworkVisit> NetworkVisit::to(int ns) {
  CIB_TRY(UniqueFd home, open_own_network_namespace());
  if (::setns(ns, CLONE_NEWNET) != 0) return error(Errc::kernel, "enter a network namespace", errno);
  return NetworkVisit(std::move(home));
}

Result<NetworkVisit> NetworkVisit::to_pinned(const std::string& file) {
  CIB_TRY(const UniqueFd ns, open_pinned_network_namespace(file));
  return to(ns.get());
}

NetworkVisit::~NetworkVisit() {
  if (home_ && ::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
}

Result<UniqueFd> sysfs_of_network_namespace(int ns) {
  CIB_TRY(const NetworkVisit visit, NetworkVisit::to(ns));
  const UniqueFd fs(::fsopen("sysfs", FSOPEN_CLOEXEC));
  if (!fs) return error(Errc::kernel, "fsopen sysfs", errno);
  if (::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return error(Errc::kernel, "create sysfs", errno);
  UniqueFd mount(
      ::fsmount(fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV));
  if (!mount) return error(Errc::kernel, "fsmount sysfs", errno);
  return mount;
}

}  // namespace cib
