#include "adapters/linux/hca_classes.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/in_namespace.hpp"
#include "adapters/linux/open_resolved.hpp"
#include "adapters/linux/small_tmpfs.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr int classes_timeout_ms = 5'000;

struct ClassFolder {
  const char* path;
  const char* nodes;  // what begins the names of its entries; null: they are called as their RDMA device
};
constexpr std::array<ClassFolder, 3> class_folders = {{
    {"/sys/class/infiniband", nullptr},
    {"/sys/class/infiniband_verbs", "uverbs"},
    {"/sys/class/infiniband_mad", "umad"},
}};
// A class' links lead from its folder to /sys.
constexpr std::string_view up_to_sys = "../../";

struct ClassLink {
  std::string name, target;  // "uverbs0", "../../devices/pci0000:00/0000:21:00.0/infiniband_verbs/uverbs0"
};

std::string target_of(const std::string& link) {
  std::array<char, PATH_MAX> text{};
  const auto size = ::readlink(link.c_str(), text.data(), text.size());
  return size <= 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(size));
}

// An RDMA device and its character devices have one parent (ib_uverbs_add_one and ib_umad_init_port set it),
// and theirs are seen from everywhere: the device itself is seen only in the network namespace that it is in.
std::string target_of_device(const std::string& node_target, const DeviceNode& node) {
  const std::string tail = "/infiniband_verbs/" + node.name;
  if (!node_target.ends_with(tail)) return {};
  return node_target.substr(0, node_target.size() - tail.size()) + "/infiniband/" + node.owner;
}

std::vector<ClassLink> links_of(const ClassFolder& folder, const std::vector<DeviceNode>& nodes) {
  std::vector<ClassLink> links;
  for (const DeviceNode& node : nodes) {
    const bool is_device = folder.nodes == nullptr;
    if (!node.name.starts_with(is_device ? "uverbs" : folder.nodes)) continue;
    const std::string of = is_device ? "/sys/class/infiniband_verbs" : folder.path;
    std::string target = target_of(of + '/' + node.name);
    if (is_device) target = target_of_device(target, node);
    if (target.starts_with(up_to_sys)) links.push_back({is_device ? node.owner : node.name, target});
  }
  return links;
}

Status put_file(const UniqueFd& mount, const char* name, const std::string& text) {
  constexpr mode_t everybody_reads = 0444;
  const UniqueFd file(::openat(mount.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, everybody_reads));
  if (!file || ::fchmod(file.get(), everybody_reads) != 0 ||  // whatever the umask is
      ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return error(Errc::kernel, std::string("make ") + name + " for a task's /sys/class", errno);
  return {};
}

Status fill(const UniqueFd& mount, const ClassFolder& folder, const std::vector<ClassLink>& links) {
  for (const ClassLink& link : links)
    if (::symlinkat(link.target.c_str(), mount.get(), link.name.c_str()) != 0)
      return error(Errc::kernel, "make " + link.name + " for a task's " + folder.path, errno);
  if (const auto version = read_small_file(std::string(folder.path) + "/abi_version"))
    CIB_CHECK(put_file(mount, "abi_version", *version));
  return {};
}

Result<HcaClass> make_class(const ClassFolder& folder, const std::vector<ClassLink>& links,
                            const std::string& shown) {
  HcaClass made{.folder = folder.path, .mount = {}, .number = 0, .devices = {}};
  CIB_TRY(made.mount, make_small_tmpfs());
  CIB_CHECK(fill(made.mount, folder, links));
  CIB_CHECK(put_file(made.mount, shown_before, shown));
  CIB_CHECK(make_read_only(made.mount));
  struct stat about {};
  if (::fstat(made.mount.get(), &about) != 0) return error(Errc::kernel, "stat a class of HCAs", errno);
  made.number = about.st_dev;
  for (const ClassLink& link : links) made.devices.push_back("/sys/" + link.target.substr(up_to_sys.size()));
  return made;
}

// ---- in the namespace: system calls only
// -----------------------------------------------------------------------------------------------

// Through no link: a container's /sys may be anything its owner made of it.
int open_class(const char* path) {
  return open_resolved(AT_FDCWD, path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
}

struct ClassesMount {
  const std::vector<HcaClass>* classes;
  bool* mounted;  // in memory that is shared, one for each of the classes
};

bool leads_somewhere(const HcaClass& one) {
  return std::all_of(one.devices.begin(), one.devices.end(), [](const std::string& device) {
    struct stat about {};
    return ::stat(device.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
  });
}

int do_mount_classes(void* arg) {
  const auto* work = static_cast<ClassesMount*>(arg);
  bool* mounted = work->mounted;
  for (const HcaClass& one : *work->classes) {
    const int target = open_class(one.folder.c_str());
    if (target < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) return errno;
    if (target >= 0 && leads_somewhere(one)) {
      constexpr unsigned by_descriptors = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
      if (::move_mount(one.mount.get(), "", target, "", by_descriptors) != 0) return errno;
      *mounted = true;
    }
    ++mounted;
  }
  return 0;
}

int do_find_classes(void* arg) {
  auto* number = static_cast<dev_t*>(arg);
  for (const ClassFolder& folder : class_folders) {
    const int directory = open_class(folder.path);
    struct stat mark {};
    struct stat top {};
    struct statx about {};
    if (directory >= 0 && ::fstatat(directory, shown_before, &mark, AT_SYMLINK_NOFOLLOW) == 0 &&
        ::fstat(directory, &top) == 0 && ::statx(directory, "", AT_EMPTY_PATH, 0, &about) == 0 &&
        (about.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0)
      *number = top.st_dev;
    ++number;
  }
  return 0;
}

int do_unmount_classes(void* arg) {
  int rc = 0;
  for (const MountedClass& one : *static_cast<const std::vector<MountedClass>*>(arg)) {
    const int target = open_class(one.folder.c_str());
    struct stat top {};
    if (target < 0 || ::fstat(target, &top) != 0 || top.st_dev != one.number) continue;
    ::close(target);
    if (::umount2(one.folder.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) rc = errno;
  }
  return rc;
}

}  // namespace

std::vector<std::string> places_of_mounts() {
  std::vector<std::string> places = {place_of_devices};
  for (const ClassFolder& folder : class_folders) places.emplace_back(folder.path);
  return places;
}

Result<std::vector<HcaClass>> make_hca_classes(const std::vector<DeviceNode>& nodes,
                                               const std::optional<std::vector<std::string>>& shown) {
  std::vector<HcaClass> classes;
  for (const ClassFolder& folder : class_folders) {
    const bool names_devices = folder.nodes == nullptr;
    const auto links = links_of(folder, nodes);
    if (names_devices && links.empty()) return classes;  // no sysfs that is known here
    CIB_TRY(auto made, make_class(folder, links, names_devices && shown ? join(*shown, "\n") : ""));
    classes.push_back(std::move(made));
  }
  return classes;
}

Status put_hca_classes(const UniqueFd& directory, const std::vector<DeviceNode>& nodes) {
  constexpr mode_t everybody_looks = 0755;
  for (const ClassFolder& folder : class_folders) {
    const std::string path = folder.path, name = path.substr(path.rfind('/') + 1);
    if (::mkdirat(directory.get(), name.c_str(), everybody_looks) != 0 ||
        ::fchmodat(directory.get(), name.c_str(), everybody_looks, 0) != 0)  // whatever the umask is
      return error(Errc::kernel, "make a folder for " + path, errno);
    const UniqueFd made(
        open_resolved(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH));
    if (!made) return error(Errc::kernel, "open a folder for " + path, errno);
    CIB_CHECK(fill(made, folder, links_of(folder, nodes)));
  }
  return {};
}

Result<std::vector<MountedClass>> mount_hca_classes(int mount_namespace,
                                                    const std::vector<HcaClass>& classes) {
  std::vector<MountedClass> mounted;
  if (classes.size() != class_folders.size()) return mounted;
  CIB_TRY(const SharedMemory memory, SharedMemory::make(class_folders.size() * sizeof(bool)));
  ClassesMount work{.classes = &classes, .mounted = static_cast<bool*>(memory.data())};
  auto status = in_mount_namespace(mount_namespace, do_mount_classes, &work,
                                   {classes[0].mount.get(), classes[1].mount.get(), classes[2].mount.get()},
                                   "show the task's HCAs in /sys/class", classes_timeout_ms);
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (work.mounted[i]) mounted.push_back({classes[i].folder, classes[i].number});
  if (status.ok()) return mounted;
  if (status.error().code != Errc::stuck) (void)unmount_hca_classes(mount_namespace, mounted);
  return std::move(status).error();
}

Result<std::vector<MountedClass>> hca_classes_in(int mount_namespace) {
  CIB_TRY(const SharedMemory memory, SharedMemory::make(class_folders.size() * sizeof(dev_t)));
  auto* numbers = static_cast<dev_t*>(memory.data());
  CIB_CHECK(in_mount_namespace(mount_namespace, do_find_classes, numbers, {}, "look at its /sys/class",
                               classes_timeout_ms));
  std::vector<MountedClass> found;
  for (std::size_t i = 0; i < class_folders.size(); ++i)
    if (numbers[i] != 0) found.push_back({class_folders[i].path, numbers[i]});
  return found;
}

Status unmount_hca_classes(int mount_namespace, const std::vector<MountedClass>& mounted) {
  if (mounted.empty()) return {};
  return in_mount_namespace(mount_namespace, do_unmount_classes,
                            const_cast<std::vector<MountedClass>*>(&mounted), {},
                            "show the node's HCAs in /sys/class again", classes_timeout_ms);
}

}  // namespace cib
