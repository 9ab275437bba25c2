#include "adapters/linux/cgroup.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <sstream>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/cgroup_paths.hpp"
#include "adapters/linux/names_in.hpp"

namespace cib {

namespace {

constexpr int deepest = 8;                             // Slurm's own tree is three deep; a task may add to it
constexpr std::size_t most_text = 64UL * 1024 * 1024;  // as many processes as Linux allows

UniqueFd open_directory(int at, const char* name) {
  return UniqueFd(::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace

std::vector<CgroupMembership> memberships(const std::string& pid) {
  const auto text = read_small_file("/proc/" + pid + "/cgroup");
  return text ? parse_cgroups(*text) : std::vector<CgroupMembership>();
}

PlaceOfCgroup find_place(const CgroupMembership& member, const std::string& path) {
  for (const std::string& place : places_of(member, path, own_mounts().value_or({}))) {
    UniqueFd directory = open_directory(AT_FDCWD, place.c_str());
    struct statfs fs {};
    if (!directory || ::fstatfs(directory.get(), &fs) != 0) continue;
    if (fs.f_type == (member.unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
      return {place, std::move(directory)};
  }
  return {};
}

namespace {

Status join(int directory, const std::string& path) {
  const UniqueFd fd(::openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), "0", 1) != 1)
    return error(Errc::kernel, "write " + path + "/cgroup.procs", errno);
  return {};
}

// A leaf outside every job: on v2 a cgroup with children may hold no process. Slurm keeps its own idle
// process in "system" beside the jobs (cgroup_v2.c), which lives as long as the hierarchy; without it we make
// our own.
Status join_leaf_beside_jobs(const PlaceOfCgroup& jobs) {
  const UniqueFd system = open_directory(jobs.directory.get(), "system");
  if (system && join(system.get(), jobs.path + "/system").ok()) return {};
  const std::string path = jobs.path + "/container-ib";
  if (::mkdirat(jobs.directory.get(), "container-ib", 0755) != 0 && errno != EEXIST)
    return error(Errc::kernel, "mkdir " + path, errno);
  const UniqueFd own = open_directory(jobs.directory.get(), "container-ib");
  if (!own) return error(Errc::kernel, "open " + path, errno);
  return join(own.get(), path);
}

Status leave(const CgroupMembership& member, const StepCgroupPath& part) {
  const PlaceOfCgroup jobs = find_place(member, part.jobs.empty() ? "/" : part.jobs);
  if (!jobs.directory) return error(Errc::unsupported, "no mount of its hierarchy shows " + part.jobs);
  return member.unified ? join_leaf_beside_jobs(jobs) : join(jobs.directory.get(), jobs.path);
}

std::vector<std::string> children_of(int directory) {
  return names_in(directory, ".", Entries::directories).value_or({});
}

void add_processes(int directory, int depth, std::vector<pid_t>& pids) {
  if (const auto text = read_small_file_at(directory, "cgroup.procs", most_text)) {
    std::istringstream words(*text);
    for (pid_t pid = 0; words >> pid;)
      if (pid > 0) pids.push_back(pid);
  }
  if (depth == 0) return;
  for (const std::string& name : children_of(directory))
    if (const UniqueFd child = open_directory(directory, name.c_str()))
      add_processes(child.get(), depth - 1, pids);
}

// rmdir fails while a cgroup holds a process or a child, as it should.
void remove_below(int directory, int depth) {
  for (const std::string& name : children_of(directory)) {
    const UniqueFd child = open_directory(directory, name.c_str());
    if (child && depth > 0) remove_below(child.get(), depth - 1);
    (void)::unlinkat(directory, name.c_str(), AT_REMOVEDIR);
  }
}

std::uint64_t inode_of(int directory) {
  struct stat found {};
  return ::fstat(directory, &found) == 0 ? found.st_ino : 0;
}

bool is_still_called(int parent, const std::string& name, std::uint64_t inode) {
  struct stat found {};
  return ::fstatat(parent, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && found.st_ino == inode;
}

}  // namespace

Status leave_step_cgroup() {
  for (const CgroupMembership& member : memberships("self")) {
    const auto part = step_part(member.path);
    if (!part) continue;
    if (auto status = leave(member, *part); !status)
      return std::move(status).error().in("leave the step's cgroup " + part->step);
  }
  for (const CgroupMembership& member : memberships("self"))
    if (step_part(member.path))
      return error(Errc::kernel, "moved out of the step's cgroup, and still in " + member.path);
  return {};
}

std::optional<StepCgroup> step_cgroup_of(pid_t pid) {
  for (const CgroupMembership& member : memberships(std::to_string(pid))) {
    if (!member.unified && member.controllers != "freezer") continue;
    const auto part = step_part(member.path);
    if (!part) continue;
    PlaceOfCgroup place = find_place(member, part->step);
    if (!place.directory) continue;
    const std::uint64_t inode = inode_of(place.directory.get());
    return StepCgroup{std::move(place.path), inode, std::move(place.directory)};
  }
  return {};
}

std::optional<StepCgroup> open_step_cgroup(const std::string& path, std::uint64_t inode) {
  const auto part = step_part(path);
  if (!part || part->step != path || inode == 0) return {};
  UniqueFd directory = open_directory(AT_FDCWD, path.c_str());
  if (!directory || inode_of(directory.get()) != inode) return {};
  return StepCgroup{path, inode, std::move(directory)};
}

std::vector<pid_t> processes_in(const StepCgroup& cgroup) {
  std::vector<pid_t> pids;
  add_processes(cgroup.directory.get(), deepest, pids);
  return pids;
}

bool kill_at_once(const StepCgroup& cgroup) {
  const UniqueFd fd(::openat(cgroup.directory.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), "1", 1) == 1;
}

// There is no rmdir by descriptor; between the look at who bears the name and rmdir lies one system call, and
// rmdir takes none that is in use.
bool remove_step_cgroup(const StepCgroup& cgroup) {
  const auto step = cgroup.path.rfind('/');
  const auto job = cgroup.path.rfind('/', step - 1);
  const std::string step_name = cgroup.path.substr(step + 1),
                    job_name = cgroup.path.substr(job + 1, step - job - 1);
  const UniqueFd jobs_step = open_directory(cgroup.directory.get(), "..");
  const UniqueFd jobs = open_directory(jobs_step.get(), "..");
  remove_below(cgroup.directory.get(), deepest);
  if (is_still_called(jobs_step.get(), step_name, cgroup.inode))
    (void)::unlinkat(jobs_step.get(), step_name.c_str(), AT_REMOVEDIR);
  if (is_still_called(jobs_step.get(), step_name, cgroup.inode)) return false;
  if (is_still_called(jobs.get(), job_name, inode_of(jobs_step.get())))
    (void)::unlinkat(jobs.get(), job_name.c_str(), AT_REMOVEDIR);
  return true;
}

}  // namespace cib
