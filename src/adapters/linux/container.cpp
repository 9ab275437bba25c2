#include "adapters/linux/container.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/devices.hpp"
#include "adapters/linux/hca_classes.hpp"
#include "adapters/linux/in_namespace.hpp"
#include "adapters/linux/names_in.hpp"
#include "adapters/linux/namespaces.hpp"
#include "adapters/linux/open_resolved.hpp"
#include "adapters/linux/process.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr int look_timeout_ms = 5'000;
constexpr std::size_t most_names = 64UL * 1024;  // and as many bytes of them; a node has a hundred devices
constexpr std::size_t most_environment = 1024UL * 1024;

struct Listing {
  int proc = -1;  // an open directory
  std::size_t size = 0;
  std::array<char, most_names> names{};  // each with its NUL
};

// Through no link, since the folders of a container may be anything its owner made of them.
UniqueFd open_folder(const char* path) {
  return UniqueFd(open_resolved(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS));
}

// Through no link and no mount, and a regular file only: root could be led to any device, and open it.
std::optional<std::string> read_shown_before(int folder, int proc) {
  const UniqueFd found(open_resolved(folder, shown_before, O_PATH, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
  struct stat about {};
  if (!found || ::fstat(found.get(), &about) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
  const UniqueFd file(open_found(proc, found.get()));
  if (!file) return std::nullopt;
  auto text = read_up_to(file.get(), shown_before, most_names);
  return text ? std::optional(*std::move(text)) : std::nullopt;
}

int list_rdma_devices(void* arg) {
  auto* listing = static_cast<Listing*>(arg);
  const UniqueFd folder = open_folder("/sys/class/infiniband");
  if (!folder) return errno == ENOENT ? 0 : errno;
  auto names = names_in(folder.get(), ".", Entries::all, most_names);
  if (!names) return names.error().sys_errno;
  // What a step before has put there shows its own HCAs only, and says what was to be seen without it.
  if (const auto before = read_shown_before(folder.get(), listing->proc)) {
    if (before->empty()) return ENODATA;
    names = std::vector<std::string>();
    for (const std::string_view name : split(*before, '\n')) names->emplace_back(name);
  }
  for (const std::string& name : *names) {
    if (name.size() + 1 > listing->names.size() - listing->size) break;
    std::memcpy(listing->names.data() + listing->size, name.c_str(), name.size() + 1);
    listing->size += name.size() + 1;
  }
  return 0;
}

constexpr std::size_t most_nodes = 256;

struct Nodes {
  std::size_t count = 0;
  std::array<dev_t, most_nodes> numbers{};  // of the character devices
};

int list_device_nodes(void* arg) {
  auto* nodes = static_cast<Nodes*>(arg);
  const UniqueFd folder = open_folder("/dev/infiniband");
  if (!folder) return errno == ENOENT ? 0 : errno;
  const auto names = names_in(folder.get(), ".", Entries::all, most_names);
  if (!names) return names.error().sys_errno;
  for (const std::string& name : *names) {
    struct stat node {};
    if (::fstatat(folder.get(), name.c_str(), &node, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISCHR(node.st_mode))
      continue;
    if (nodes->count == nodes->numbers.size()) break;
    nodes->numbers[nodes->count++] = node.st_rdev;
  }
  return 0;
}

// By the process that started them (field 4 of /proc/PID/stat, proc(5)).
std::map<pid_t, std::vector<pid_t>> children_by_parent() {
  std::map<pid_t, std::vector<pid_t>> children;
  for (const pid_t pid : all_processes())
    if (const auto parent = parent_process(pid)) children[*parent].push_back(pid);
  return children;
}

std::vector<pid_t> with_descendants(pid_t first, const std::map<pid_t, std::vector<pid_t>>& children) {
  std::vector<pid_t> family = {first};
  for (std::size_t i = 0; i < family.size(); ++i)
    if (const auto found = children.find(family[i]); found != children.end())
      family.insert(family.end(), found->second.begin(), found->second.end());
  return family;
}

// The n-th number, from 0, of a line of /proc/PID/status: "Uid:\t1000\t1000\t1000\t1000".
std::optional<std::uint32_t> number_of(const std::string& status, std::string_view field, std::size_t n) {
  const auto words = split(proc_field(status, field), '\t');
  return n < words.size() ? whole_number<std::uint32_t>(words[n]) : std::nullopt;
}

// The value of a variable in a block as /proc/PID/environ has it; empty without.
std::string_view variable(std::string_view block, std::string_view name) {
  for (const std::string_view entry : split(block, '\0'))
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return entry.substr(name.size() + 1);
  return {};
}

Result<std::vector<std::string>> uverbs_in_mount_namespace_of(pid_t pid,
                                                              const std::map<dev_t, std::string>& devices) {
  CIB_TRY(const SharedMemory memory, SharedMemory::make(sizeof(Nodes)));
  auto* nodes = new (memory.data()) Nodes;
  CIB_CHECK(in_mount_namespace("/proc/" + std::to_string(pid) + "/ns/mnt", list_device_nodes, nodes,
                               "list the container's /dev/infiniband", look_timeout_ms));
  std::set<std::string> names;
  for (std::size_t i = 0; i < std::min(nodes->count, nodes->numbers.size()); ++i)
    if (const auto found = devices.find(nodes->numbers[i]); found != devices.end())
      names.insert(found->second);
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace

Result<std::vector<std::string>> rdma_devices_shown_in(int mount_namespace) {
  CIB_TRY(const SharedMemory memory, SharedMemory::make(sizeof(Listing)));
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return error(Errc::kernel, "open /proc", errno);
  auto* listing = new (memory.data()) Listing;
  listing->proc = proc.get();
  CIB_CHECK(in_mount_namespace(mount_namespace, list_rdma_devices, listing, {proc.get()},
                               "list the container's /sys/class/infiniband", look_timeout_ms));
  std::vector<std::string> names;
  const std::size_t size = std::min(listing->size, listing->names.size());
  for (const std::string_view name : split({listing->names.data(), size}, '\0'))
    if (!name.empty()) names.emplace_back(name);
  return names;
}

namespace {

// By its first argument: it executes itself again, by /proc/self/exe, after which the kernel calls it "exe".
bool is_podman(pid_t pid) {
  const auto words = read_small_file("/proc/" + std::to_string(pid) + "/cmdline");
  if (!words) return false;
  return last_component(split(*words, '\0').front()) == "podman";
}

// podman itself, which runs where its user's first container was made, in a mount namespace that no container
// shows.
std::set<std::uint64_t> where_podman_is(const std::vector<pid_t>& family) {
  std::set<std::uint64_t> namespaces;
  for (const pid_t pid : family)
    if (is_podman(pid))
      if (const auto inode = namespace_of_process(pid, "mnt")) namespaces.insert(*inode);
  return namespaces;
}

}  // namespace

Result<bool> has_root_of(int mount_namespace, pid_t pid) {
  const UniqueFd root(::open(("/proc/" + std::to_string(pid) + "/root").c_str(), O_PATH | O_CLOEXEC));
  if (!root)
    return error(errno == ENOENT ? Errc::ended : Errc::kernel, "open the root of the container", errno);
  int fd = root.get();
  constexpr int another = EXDEV;  // which no call of this says
  const auto compare = [](void* argument) {
    struct stat its {
    }, here{};
    if (::fstat(*static_cast<int*>(argument), &its) != 0 || ::stat("/", &here) != 0) return errno;
    return its.st_dev == here.st_dev && its.st_ino == here.st_ino ? 0 : another;
  };
  auto status = in_mount_namespace(mount_namespace, compare, &fd, {fd}, "look at the container's root",
                                   look_timeout_ms);
  if (!status && status.error().sys_errno != another) return std::move(status).error();
  return status.ok();
}

Insides look_inside(const std::vector<pid_t>& tasks, const std::set<std::uint64_t>& known) {
  constexpr std::size_t most_namespaces = 64;
  const auto children = children_by_parent();
  const auto devices = rdma_devices_by_number();
  Insides insides;
  std::map<std::uint64_t, std::vector<std::string>> seen;
  bool answered = true;
  for (const pid_t task : tasks) {
    const auto family = with_descendants(task, children);
    std::set<std::uint64_t> of_this_task = where_podman_is(family);
    for (const pid_t pid : family) {
      const auto inode = namespace_of_process(pid, "mnt");
      if (!inode || known.contains(*inode) || !of_this_task.insert(*inode).second) continue;
      if (!seen.contains(*inode) && answered && seen.size() < most_namespaces) {
        const auto shown = uverbs_in_mount_namespace_of(pid, devices);
        answered = shown || (shown.error().code != Errc::stuck && shown.error().code != Errc::timed_out);
        insides.stuck = !shown && shown.error().code == Errc::stuck;
        if (shown) seen[*inode] = *shown;
      }
      if (const auto found = seen.find(*inode); found != seen.end())
        insides.of[task].push_back(found->second);
    }
  }
  return insides;
}

std::optional<FileOwner> file_owner_of(pid_t pid) {
  constexpr std::size_t of_file_system = 3;  // real, effective, saved, file system (proc(5))
  const auto status = read_small_file("/proc/" + std::to_string(pid) + "/status");
  if (!status) return std::nullopt;
  const auto uid = number_of(*status, "Uid", of_file_system);
  const auto gid = number_of(*status, "Gid", of_file_system);
  if (!uid || !gid) return std::nullopt;
  return FileOwner{*uid, *gid};
}

std::optional<std::uint32_t> uid_inside(pid_t pid, std::uint32_t uid) {
  const auto map = read_small_file("/proc/" + std::to_string(pid) + "/uid_map");
  if (!map) return std::nullopt;
  for (const std::string_view line : split(*map, '\n')) {
    std::vector<std::uint64_t> numbers;  // inside, here, how many
    for (const std::string_view word : split(line, ' '))
      if (const auto number = whole_number<std::uint64_t>(word)) numbers.push_back(*number);
    if (numbers.size() == 3 && uid >= numbers[1] && uid - numbers[1] < numbers[2])
      return static_cast<std::uint32_t>(numbers[0] + (uid - numbers[1]));
  }
  return std::nullopt;
}

bool is_of_another_step(pid_t pid, std::uint32_t job, std::uint32_t step) {
  const auto block = read_small_file("/proc/" + std::to_string(pid) + "/environ", most_environment);
  if (!block) return false;
  const auto its_job = variable(*block, "SLURM_JOB_ID"), its_step = variable(*block, "SLURM_STEP_ID");
  if (its_job.empty() || its_step.empty()) return false;
  return its_job != std::to_string(job) || its_step != std::to_string(step);
}

}  // namespace cib
