#include "adapters/linux/task_folder.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <tuple>

#include "adapters/linux/hca_classes.hpp"
#include "adapters/linux/in_namespace.hpp"
#include "adapters/linux/mountinfo.hpp"
#include "adapters/linux/names_in.hpp"
#include "adapters/linux/open_resolved.hpp"
#include "adapters/linux/small_tmpfs.hpp"
#include "adapters/linux/trusted_file.hpp"

namespace cib {

namespace {

constexpr const char* device_folder = "infiniband";
constexpr const char* class_folder = "class";
// Nobody lists the tasks of others, and each user passes through to his own.
constexpr mode_t everybody_passes = 0711, everybody_reads = 0755, owner_enters = 0500, nobody_enters = 0700;

struct FolderPlace {
  std::string above, name;  // "/run/container-ib-tasks", "17.0-3"
};

FolderPlace place_of(const std::string& folder) {
  const auto slash = folder.rfind('/');
  return {folder.substr(0, slash), folder.substr(slash + 1)};
}

// The directory above, which only root can have made and can write to.
Result<UniqueFd> open_above(const std::string& path, bool make) {
  CIB_CHECK(check_directories_to(path));
  const bool made = make && ::mkdir(path.c_str(), everybody_passes) == 0;
  if (make && !made && errno != EEXIST) return error(Errc::kernel, "mkdir " + path, errno);
  UniqueFd directory(open_resolved(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS));
  if (!directory) return error(errno == ENOENT ? Errc::not_found : Errc::kernel, "open " + path, errno);
  if (made && ::fchmod(directory.get(), everybody_passes) != 0)  // mkdir applied our umask
    return error(Errc::kernel, "chmod " + path, errno);
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return error(Errc::kernel, "stat " + path, errno);
  if ((status.st_uid != 0 && status.st_uid != ::geteuid()) || (status.st_mode & 022) != 0)
    return error(Errc::bad_config,
                 path + " belongs to or can be written by others; remove it, it is made anew");
  return directory;
}

// A mount that is made in one which is not shared shows in no other mount namespace.
Status check_shared(const UniqueFd& directory, const std::string& path) {
  struct statx status {};
  if (::statx(directory.get(), "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0)
    return error(Errc::kernel, "stat " + path, errno);
  CIB_TRY(const auto mounts, own_mounts());
  const auto found = std::find_if(mounts.begin(), mounts.end(),
                                  [&](const Mount& mount) { return mount.id == status.stx_mnt_id; });
  if (found == mounts.end()) return error(Errc::kernel, path + " is on no mount that mountinfo has");
  if (found->shared) return {};
  return error(Errc::unsupported, path + " is on the mount " + found->point +
                                      ", which other mount namespaces do not share, nor those of tasks; "
                                      "'mount --make-shared " +
                                      found->point + "' on the node");
}

Status make_directory(int at, const char* name, mode_t mode) {
  if (::mkdirat(at, name, 0700) != 0 && errno != EEXIST)
    return error(Errc::kernel, std::string("mkdir ") + name + " in a task's folder", errno);
  if (::fchmodat(at, name, mode, 0) != 0)
    return error(Errc::kernel, std::string("chmod ") + name + " in a task's folder", errno);
  return {};
}

// The same file system by a mount of its own, attached nowhere, that can be written to.
Result<UniqueFd> writable(const std::string& folder) {
  UniqueFd mount(
      ::open_tree(AT_FDCWD, folder.c_str(),
                  OPEN_TREE_CLONE | static_cast<unsigned>(OPEN_TREE_CLOEXEC) | AT_SYMLINK_NOFOLLOW));
  if (!mount) return error(Errc::kernel, "open " + folder, errno);
  mount_attr attributes{};
  attributes.attr_clr = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
    return error(Errc::kernel, "make " + folder + " writable", errno);
  return mount;
}

Result<UniqueFd> open_in(const UniqueFd& mount, const char* name, const std::string& folder) {
  UniqueFd directory(open_resolved(mount.get(), name, O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH));
  if (!directory)
    return error(errno == ENOENT ? Errc::not_found : Errc::kernel, "open " + folder + '/' + name, errno);
  return directory;
}

Status write_file(const UniqueFd& mount, const std::string& path, const std::string& contents) {
  if (const auto slash = path.find('/'); slash != std::string::npos)
    CIB_CHECK(make_directory(mount.get(), path.substr(0, slash).c_str(), everybody_reads));
  constexpr int fresh = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const UniqueFd file(::openat(mount.get(), path.c_str(), fresh, 0600));
  const std::string what = path + " in a task's folder";
  if (!file) return error(Errc::kernel, "create " + what, errno);
  const ssize_t written = ::write(file.get(), contents.data(), contents.size());
  if (written != static_cast<ssize_t>(contents.size()))
    return error(Errc::kernel, "write " + what, written < 0 ? errno : ENOSPC);
  if (::fchmod(file.get(), 0444) != 0) return error(Errc::kernel, "chmod " + what, errno);
  return {};
}

// Empty: there is no such thing.
Result<std::optional<bool>> is_mounted(const std::string& folder) {
  struct statx status {};
  if (::statx(AT_FDCWD, folder.c_str(), AT_SYMLINK_NOFOLLOW, 0, &status) != 0) {
    if (errno == ENOENT) return std::optional<bool>();
    return error(Errc::kernel, "stat " + folder, errno);
  }
  return std::optional((status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
}

}  // namespace

Status make_task_folder(const std::string& path) {
  const FolderPlace place = place_of(path);
  CIB_TRY(const UniqueFd above, open_above(place.above, true));
  CIB_CHECK(check_shared(above, place.above));
  CIB_TRY(const UniqueFd mount, make_small_tmpfs());
  if (::fchmodat(mount.get(), ".", nobody_enters, 0) != 0) return error(Errc::kernel, "chmod " + path, errno);
  CIB_CHECK(make_directory(mount.get(), device_folder, everybody_reads));
  // Before it is attached: what other mount namespaces get has its own flags.
  CIB_CHECK(make_read_only(mount));
  if (::mkdirat(above.get(), place.name.c_str(), 0700) != 0)
    return error(errno == EEXIST ? Errc::in_use : Errc::kernel, "mkdir " + path, errno);
  if (::move_mount(mount.get(), "", above.get(), place.name.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return error(Errc::kernel, "mount " + path, errno);
  return {};
}

Status put_devices_into(const std::string& folder, const std::vector<DeviceNode>& nodes) {
  CIB_TRY(const UniqueFd mount, writable(folder));
  CIB_TRY(const UniqueFd directory, open_in(mount, device_folder, folder));
  return add_device_nodes(directory, nodes);
}

Status take_devices_out_of(const std::string& folder) {
  CIB_TRY(const UniqueFd mount, writable(folder));
  CIB_TRY(const UniqueFd directory, open_in(mount, device_folder, folder));
  CIB_TRY(const auto names, names_in(path_of(directory)));
  for (const std::string& name : names) {
    // Who holds the node itself (O_PATH) may open it as long as its mode lets him, be it removed.
    std::ignore = ::fchownat(directory.get(), name.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW);
    std::ignore = ::fchmodat(directory.get(), name.c_str(), 0, 0);
    if (::unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT)
      return error(Errc::kernel, "remove " + folder + '/' + device_folder + '/' + name, errno);
  }
  return {};
}

Status finish_task_folder(const std::string& folder, const std::vector<DeviceNode>& nodes,
                          const std::map<std::string, std::string>& files, const FileOwner& owner) {
  CIB_TRY(const UniqueFd mount, writable(folder));
  CIB_CHECK(make_directory(mount.get(), class_folder, everybody_reads));
  CIB_TRY(const UniqueFd classes, open_in(mount, class_folder, folder));
  CIB_CHECK(put_hca_classes(classes, nodes));
  for (const auto& [path, contents] : files) CIB_CHECK(write_file(mount, path, contents));
  // His group too, or who is root of a user namespace in which only he is known could not pass.
  if (::fchownat(mount.get(), ".", owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
    return error(Errc::kernel, "chown " + folder, errno);
  if (::fchmodat(mount.get(), ".", owner_enters, 0) != 0)
    return error(Errc::kernel, "chmod " + folder, errno);
  return {};
}

namespace {

constexpr int check_timeout_ms = 5'000;

int do_check_shows(void* arg) {
  struct statx status {};
  if (::statx(AT_FDCWD, static_cast<const char*>(arg), AT_SYMLINK_NOFOLLOW, 0, &status) != 0) return errno;
  return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0 ? 0 : ENOENT;
}

}  // namespace

Status check_shows(int mount_namespace, const std::string& folder) {
  std::string path = folder;
  auto status = in_mount_namespace(mount_namespace, do_check_shows, path.data(), {},
                                   "look for " + folder + " where the task is", check_timeout_ms);
  if (status || status.error().sys_errno != ENOENT) return status;
  return error(Errc::unsupported,
               folder +
                   " does not show in the task's mount namespace, which gets no mounts of the node's "
                   "(job_container/tmpfs makes such)");
}

Status verify_task_folder(const std::string& folder) {
  CIB_TRY(const auto mounted, is_mounted(folder));
  if (mounted.value_or(false)) return {};
  return error(Errc::not_found, folder + " is not mounted any more");
}

// What nobody but root can have put there is removed by its path.
Status remove_task_folder(const std::string& folder) {
  const auto above = open_above(place_of(folder).above, false);
  if (!above) return above.error().code == Errc::not_found ? Status() : Status(above.error());
  CIB_TRY(const auto mounted, is_mounted(folder));
  if (!mounted) return {};
  if (*mounted) {
    CIB_CHECK(take_devices_out_of(folder));
    if (::umount2(folder.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL)
      return error(Errc::kernel, "unmount " + folder, errno);
  }
  // Where it still is mounted, in a mount namespace that got it and passes nothing on, it goes now
  // (detach_mounts() in vfs_rmdir(), since Linux 3.18).
  if (::unlinkat(above->get(), place_of(folder).name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return error(Errc::kernel, "remove " + folder, errno);
  return {};
}

}  // namespace cib
