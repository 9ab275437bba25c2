#include "adapters/linux/devices.hpp"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/in_namespace.hpp"
#include "adapters/linux/mountinfo.hpp"
#include "adapters/linux/names_in.hpp"
#include "adapters/linux/open_resolved.hpp"
#include "adapters/linux/small_tmpfs.hpp"
#include "container_ib/lending.hpp"

namespace cib {

namespace {

constexpr const char* uverbs_class = "/sys/class/infiniband_verbs";

std::string first_line(const std::string& path) { return read_first_line(path).value_or(""); }

// "231:192" as sysfs writes it.
Result<dev_t> parse_dev(const std::string& text) {
  unsigned major = 0, minor = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':')
    return error(Errc::kernel, "device number '" + text + "'");
  if (std::from_chars(first.ptr + 1, end, minor).ptr != end)
    return error(Errc::kernel, "device number '" + text + "'");
  return makedev(major, minor);
}

Result<DeviceNode> check_node(const std::string& name, const std::string& sysfs, const std::string& owner) {
  CIB_TRY(const dev_t rdev, parse_dev(first_line(sysfs + "/dev")));
  const std::string path = std::string(place_of_devices) + '/' + name;
  struct stat node {};
  if (::lstat(path.c_str(), &node) != 0) return error(Errc::kernel, "stat " + path, errno);
  if (!S_ISCHR(node.st_mode) || node.st_rdev != rdev)
    return error(Errc::changed, path + " is not the device that " + sysfs + " names; is udev still at work?");
  return DeviceNode{name, owner, rdev, node.st_mode & 07777, node.st_uid, node.st_gid};
}

// The one node of a class that belongs to the RDMA device (and, for umad, to the port).
Result<DeviceNode> find_in_class(const std::string& directory, const Port& port, bool by_port) {
  CIB_TRY(const auto names, names_in(directory));
  for (const std::string& name : names) {
    if (name.starts_with("issm")) continue;
    const std::string sysfs = directory + '/' + name;
    if (first_line(sysfs + "/ibdev") != port.device) continue;
    if (by_port && first_line(sysfs + "/port") != std::to_string(port.number)) continue;
    return check_node(name, sysfs, port.device);
  }
  return error(Errc::not_found, directory + " has no node of " + (by_port ? port.name() : port.device));
}

Status add_node(int mount, const DeviceNode& node) {
  if (::mknodat(mount, node.name.c_str(), S_IFCHR | node.mode, node.rdev) != 0)
    return error(Errc::kernel,
                 "make device node " + node.name +
                     (errno == EPERM ? " (takes CAP_MKNOD and a device cgroup that allows it)" : ""),
                 errno);
  if (::fchownat(mount, node.name.c_str(), node.uid, node.gid, AT_SYMLINK_NOFOLLOW) != 0)
    return error(Errc::kernel, "chown " + node.name, errno);
  if (::fchmodat(mount, node.name.c_str(), node.mode, 0) != 0)  // mknod applied our umask
    return error(Errc::kernel, "chmod " + node.name, errno);
  return {};
}

// The node's own is root's alone, as udev leaves it. Nobody but the task's user reaches this one.
constexpr mode_t everybodys = 0666;

}  // namespace

Result<std::vector<DeviceNode>> find_device_nodes(const std::vector<Port>& ports, bool umad) {
  std::vector<DeviceNode> nodes;
  const auto add = [&](DeviceNode node) {
    const auto same = [&](const DeviceNode& other) { return other.name == node.name; };
    if (std::none_of(nodes.begin(), nodes.end(), same)) nodes.push_back(std::move(node));
  };
  for (const Port& port : ports) {
    CIB_TRY(DeviceNode uverbs, find_in_class(uverbs_class, port, false));
    add(std::move(uverbs));
    if (!umad) continue;
    CIB_TRY(DeviceNode mad, find_in_class("/sys/class/infiniband_mad", port, true));
    mad.mode = everybodys;
    add(std::move(mad));
  }
  // Without the module rdma_ucm there is none, and then nobody on the host can use rdma_cm either.
  const std::string cm = "/sys/class/misc/rdma_cm";
  if (::access(cm.c_str(), F_OK) == 0) {
    CIB_TRY(DeviceNode node, check_node("rdma_cm", cm, ""));
    add(std::move(node));
  }
  return nodes;
}

std::map<dev_t, std::string> rdma_devices_by_number() {
  std::map<dev_t, std::string> devices;
  for (const std::string& name : names_in(uverbs_class).value_or({})) {
    std::string sysfs = uverbs_class;
    sysfs.append("/").append(name);
    if (const auto number = parse_dev(first_line(sysfs + "/dev")))
      devices[*number] = first_line(sysfs + "/ibdev");
  }
  return devices;
}

Status add_device_nodes(const UniqueFd& directory, const std::vector<DeviceNode>& nodes) {
  for (const DeviceNode& node : nodes) CIB_CHECK(add_node(directory.get(), node));
  return {};
}

Result<UniqueFd> make_device_mount(const std::vector<DeviceNode>& nodes, bool lends) {
  CIB_TRY(UniqueFd mount, make_small_tmpfs());
  constexpr std::string_view folder = lent_folder;
  constexpr mode_t everybody_looks = 0755;
  if (lends) {
    const char* name = folder.substr(folder.rfind('/') + 1).data();
    if (::mkdirat(mount.get(), name, everybody_looks) != 0 ||
        ::fchmodat(mount.get(), name, everybody_looks, 0) != 0)  // whatever the umask is
      return error(Errc::kernel, std::string("make ") + lent_folder, errno);
  }
  CIB_CHECK(add_device_nodes(mount, nodes));
  CIB_CHECK(make_read_only(mount));
  return mount;
}

// A device that was registered anew meanwhile may have lost its minor to another one (ida, uverbs_main.c).
bool are_still(const std::vector<DeviceNode>& nodes, const std::vector<Port>& ports, bool umad) {
  const auto again = find_device_nodes(ports, umad);
  bool same = again.ok() && again->size() == nodes.size();
  for (std::size_t i = 0; same && i < nodes.size(); ++i) same = (*again)[i].rdev == nodes[i].rdev;
  return same;
}

namespace {

bool is_ours_at(const Mount* mount, const std::string& place) {
  return mount != nullptr && mount->point == place && mount->kind == "tmpfs" &&
         mount->source == source_of_our_mounts;
}

}  // namespace

Result<std::vector<Mount>> own_mounts_at(pid_t pid, const std::vector<std::string>& places) {
  CIB_TRY(const auto mounts, mounts_of(pid));
  std::vector<Mount> ours;
  for (const std::string& place : places)
    if (const Mount* top = mount_at(mounts, place); is_ours_at(top, place)) ours.push_back(*top);
  return ours;
}

Result<bool> has_device_mount() {
  CIB_TRY(const auto mounts, own_mounts());
  return is_ours_at(mount_at(mounts, place_of_devices), place_of_devices);
}

Error no_place_for_devices(Error error) {
  constexpr int nobodys[] = {ENOENT, EROFS, EACCES, EPERM, ENOTDIR, ELOOP, EOVERFLOW, ENOTSUP};
  if (std::find(std::begin(nobodys), std::end(nobodys), error.sys_errno) != std::end(nobodys))
    error.what += " (the container has no such folder and takes none; mount the node's into it)";
  return error;
}

namespace {

constexpr int namespace_timeout_ms = 5000;

struct MountWork {
  int mount;
  const FileOwner* maker;
};

// RESOLVE_NO_SYMLINKS: /dev/infiniband of this namespace may be anything its owner made of it.
int open_directory(const char* path) {
  return open_resolved(AT_FDCWD, path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
}

int open_infiniband() { return open_directory(place_of_devices); }

// With the rights of the owner, who is not root, and no more.
int make_infiniband(const FileOwner& owner) {
  const int dev = open_directory("/dev");
  if (dev < 0) return errno;
  ::setfsgid(owner.gid);
  ::setfsuid(owner.uid);
  constexpr mode_t everybody_looks = 0755;
  const int rc = ::mkdirat(dev, "infiniband", everybody_looks) == 0 ? 0 : errno;
  ::setfsuid(0);
  ::setfsgid(0);
  return rc;
}

int do_find_owner(void* arg) {
  struct stat dev {};
  const int directory = open_directory("/dev");
  if (directory < 0 || ::fstat(directory, &dev) != 0) return errno;
  *static_cast<FileOwner*>(arg) = {dev.st_uid, dev.st_gid};
  return 0;
}

int do_mount(void* arg) {
  const auto* work = static_cast<MountWork*>(arg);
  int target = open_infiniband();
  if (target < 0 && errno == ENOENT && work->maker != nullptr) {
    if (const int rc = make_infiniband(*work->maker); rc != 0) return rc;
    target = open_infiniband();
  }
  if (target < 0) return errno;
  constexpr unsigned by_descriptors = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  return ::move_mount(work->mount, "", target, "", by_descriptors) == 0 ? 0 : errno;
}

int do_mount_lent(void* arg) {
  const int target = open_directory(lent_folder);
  if (target < 0) return errno;
  constexpr unsigned by_descriptors = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  return ::move_mount(*static_cast<const int*>(arg), "", target, "", by_descriptors) == 0 ? 0 : errno;
}

struct LookWork {
  const char* name;
  dev_t rdev;
};

constexpr int another_device = EXDEV;  // which no call of this says

int look_at(int directory, const char* name, dev_t rdev) {
  struct stat node {};
  if (::fstatat(directory, name, &node, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  return S_ISCHR(node.st_mode) && node.st_rdev == rdev ? 0 : another_device;
}

int do_look(void* arg) {
  const auto* work = static_cast<LookWork*>(arg);
  const int directory = open_infiniband();
  return directory < 0 ? errno : look_at(directory, work->name, work->rdev);
}

struct AdoptWork {
  const std::vector<DeviceNode>* nodes;
  dev_t* mounted;  // in memory that is shared
};

int do_adopt(void* arg) {
  const auto* work = static_cast<AdoptWork*>(arg);
  const int directory = open_infiniband();
  struct stat top {};
  if (directory < 0 || ::fstat(directory, &top) != 0) return errno;
  for (const DeviceNode& node : *work->nodes)
    if (const int rc = look_at(directory, node.name.c_str(), node.rdev); rc != 0) return rc;
  *work->mounted = top.st_dev;
  return 0;
}

struct UnmountWork {
  dev_t mounted;
};

int do_unmount(void* arg) {
  const int target = open_infiniband();
  if (target < 0) return errno == ENOENT ? 0 : errno;
  struct stat top {};
  if (::fstat(target, &top) != 0) return errno;
  if (top.st_dev != static_cast<UnmountWork*>(arg)->mounted) return 0;
  ::close(target);
  return ::umount2(place_of_devices, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 ? 0 : errno;
}

}  // namespace

std::optional<FileOwner> owner_of_dev(int mount_namespace) {
  const auto memory = SharedMemory::make(sizeof(FileOwner));
  if (!memory || !in_mount_namespace(mount_namespace, do_find_owner, memory->data(), {},
                                     "look at the container's /dev", namespace_timeout_ms))
    return std::nullopt;
  return *static_cast<FileOwner*>(memory->data());
}

Result<MountedDevices> mount_devices_of(const std::vector<Port>& ports, bool umad, int mount_namespace,
                                        std::optional<FileOwner> maker, bool lends) {
  CIB_TRY(auto nodes, find_device_nodes(ports, umad));
  CIB_TRY(const UniqueFd mount, make_device_mount(nodes, lends));
  struct stat made {};
  if (::fstat(mount.get(), &made) != 0) return error(Errc::kernel, "stat the device mount", errno);
  if (auto status = mount_over_infiniband(mount_namespace, mount, maker); !status) {
    // A helper that was killed for being late may have done it.
    if (status.error().code == Errc::timed_out) (void)unmount_infiniband(mount_namespace, made.st_dev);
    return std::move(status).error();
  }
  if (are_still(nodes, ports, umad)) return MountedDevices{made.st_dev, std::move(nodes)};
  (void)unmount_infiniband(mount_namespace, made.st_dev);
  return error(Errc::changed, "the RDMA devices changed while they were attached; try again");
}

Status mount_over_infiniband(int mount_namespace, const UniqueFd& mount, std::optional<FileOwner> maker) {
  MountWork work{.mount = mount.get(), .maker = maker ? &*maker : nullptr};
  return in_mount_namespace(mount_namespace, do_mount, &work, {mount.get()},
                            "mount devices over /dev/infiniband", namespace_timeout_ms);
}

Status mount_over_lent_folder(int mount_namespace, const UniqueFd& mount) {
  int fd = mount.get();
  return in_mount_namespace(mount_namespace, do_mount_lent, &fd, {fd}, "lend the container libraries",
                            namespace_timeout_ms);
}

Result<dev_t> device_mount_in(int mount_namespace, const std::vector<DeviceNode>& nodes) {
  CIB_TRY(const SharedMemory memory, SharedMemory::make(sizeof(dev_t)));
  AdoptWork work{.nodes = &nodes, .mounted = static_cast<dev_t*>(memory.data())};
  auto status = in_mount_namespace(mount_namespace, do_adopt, &work, {},
                                   "look at the container's /dev/infiniband", namespace_timeout_ms);
  if (!status && (status.error().sys_errno == another_device || status.error().sys_errno == ENOENT))
    return error(Errc::changed,
                 "the container's /dev/infiniband is not what the step that is in it has mounted");
  if (!status) return std::move(status).error();
  return *work.mounted;
}

Status verify_device_node(const std::string& mount_namespace, const DeviceNode& node) {
  LookWork work{.name = node.name.c_str(), .rdev = node.rdev};
  const std::string path = std::string(place_of_devices) + '/' + node.name;
  auto status =
      in_mount_namespace(mount_namespace, do_look, &work, "look at its " + path, namespace_timeout_ms);
  if (!status && status.error().sys_errno == another_device)
    return error(Errc::not_found, "its " + path + " is another device than the node's of that name");
  return status;
}

Status unmount_infiniband(int mount_namespace, dev_t mounted) {
  UnmountWork work{.mounted = mounted};
  return in_mount_namespace(mount_namespace, do_unmount, &work, {}, "unmount /dev/infiniband",
                            namespace_timeout_ms);
}

}  // namespace cib
