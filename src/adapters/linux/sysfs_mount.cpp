#include "adapters/linux/sysfs_mount.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>
#include <vector>

#include "adapters/linux/in_namespace.hpp"
#include "adapters/linux/mountinfo.hpp"

namespace cib {

namespace {

constexpr int mount_timeout_ms = 5'000;
constexpr const char* target = "/sys";

// Mount points below /sys, outermost first; none below another one.
std::vector<std::string> mounts_on_sys() {
  std::vector<std::string> points;
  for (const Mount& mount : own_mounts().value_or({})) {
    if (mount.kind == "sysfs" || !mount.point.starts_with("/sys/")) continue;
    const bool below = !points.empty() && mount.point.starts_with(points.back() + '/');
    if (!below) points.push_back(mount.point);
  }
  return points;
}

int do_mount_sysfs(void* argument) {
  struct Kept {
    std::string point;
    int mount;
  };
  std::vector<Kept> kept;
  for (const std::string& point : mounts_on_sys()) {
    const int mount =
        ::open_tree(AT_FDCWD, point.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (mount < 0) return errno;
    kept.push_back({point, mount});
  }
  if (::move_mount(*static_cast<const int*>(argument), "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return errno;
  for (const Kept& one : kept)  // a directory that this kernel's sysfs does not have is no loss
    if (::move_mount(one.mount, "", AT_FDCWD, one.point.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0 &&
        errno != ENOENT)
      return errno;
  return 0;
}

}  // namespace

Status mount_over_sys(int mount_namespace, const UniqueFd& sysfs) {
  int mount = sysfs.get();
  return in_mount_namespace(mount_namespace, do_mount_sysfs, &mount, {mount},
                            "mount the network namespace's sysfs over /sys", mount_timeout_ms);
}

}  // namespace cib
