#include "adapters/linux/small_tmpfs.hpp"

#include <fcntl.h>
#include <sys/mount.h>

#include <cerrno>
#include <string>
#include <utility>

namespace cib {

Result<UniqueFd> make_small_tmpfs(TmpfsFor what) {
  const bool nodes = what == TmpfsFor::nodes;
  const UniqueFd fs(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!fs) return error(Errc::kernel, "fsopen tmpfs", errno);
  for (const auto& [key, value] : {std::pair("mode", "0755"), std::pair("size", nodes ? "64k" : "32m"),
                                   std::pair("source", source_of_our_mounts)})
    if (::fsconfig(fs.get(), FSCONFIG_SET_STRING, key, value, 0) != 0)
      return error(Errc::kernel, std::string("fsconfig tmpfs ") + key, errno);
  if (::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return error(Errc::kernel, "create tmpfs", errno);
  const unsigned without = MOUNT_ATTR_NOSUID | (nodes ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV);
  UniqueFd mount(::fsmount(fs.get(), FSMOUNT_CLOEXEC, without));
  if (!mount) return error(Errc::kernel, "fsmount tmpfs", errno);
  return mount;
}

Status make_read_only(const UniqueFd& mount) {
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &read_only, sizeof read_only) != 0)
    return error(Errc::kernel, "make a mount read-only", errno);
  return {};
}

}  // namespace cib
