#include "adapters/linux/bind_in_root.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>

#include "adapters/linux/open_resolved.hpp"

namespace cib {

namespace {

UniqueFd open_in(int at, const std::string& path, std::uint64_t resolve) {
  return UniqueFd(open_resolved(at, path.c_str(), O_PATH | O_DIRECTORY, resolve));
}

Result<UniqueFd> make_target(const UniqueFd& root, const std::string& target) {
  const auto slash = target.rfind('/');
  const std::string above = target.substr(0, slash + 1), name = target.substr(slash + 1);
  const UniqueFd parent = open_in(root.get(), above, RESOLVE_IN_ROOT);
  if (!parent) return error(Errc::kernel, "open " + above + " of the container", errno);
  if (::mkdirat(parent.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
    return error(Errc::kernel, "make " + target + " of the container", errno);
  UniqueFd made = open_in(parent.get(), name, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (!made) return error(Errc::kernel, "open " + target + " of the container", errno);
  return made;
}

}  // namespace

Status bind_in_root(const std::string& source, const UniqueFd& root, const std::string& target) {
  const UniqueFd mount(
      ::open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!mount) return error(Errc::kernel, "bind " + source, errno);
  CIB_TRY(const UniqueFd place, make_target(root, target));
  if (::move_mount(mount.get(), "", place.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return error(Errc::kernel, "mount " + source + " in the container", errno);
  return {};
}

}  // namespace cib
