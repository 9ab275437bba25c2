#include "adapters/linux/cgroup.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>
#include <sstream>

#include "adapters/linux/process.hpp"
#include "adapters/linux/unique_fd.hpp"

namespace cib {

namespace {

// One hierarchy as /proc/PID/cgroup lists it, with the place where it is mounted here.
struct Membership {
  bool unified = false;     // v2
  std::string controllers;  // v1: "freezer"
  std::string path;         // "/system.slice/slurmstepd.scope/job_5/step_0/user/task_0"
};

std::vector<Membership> memberships(const std::string& pid) {
  std::vector<Membership> found;
  const auto text = read_small_file("/proc/" + pid + "/cgroup");
  if (!text) return found;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    found.push_back(
        {line.substr(0, first) == "0" && controllers.empty(), controllers, line.substr(second + 1)});
  }
  return found;
}

// Mount point of the hierarchy; empty when it is not mounted. mountinfo: ID PARENT DEV ROOT POINT OPTS... -
// TYPE SRC SUPER
std::string mount_point(const Membership& member) {
  const auto text = read_small_file("/proc/self/mountinfo");
  if (!text) return {};
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream left(line.substr(0, dash)), right(line.substr(dash + 3));
    std::string id, parent, dev, root, point, type, source, super;
    left >> id >> parent >> dev >> root >> point;
    right >> type >> source >> super;
    if (member.unified ? type == "cgroup2"
                       : type == "cgroup" &&
                             ("," + super + ",").find("," + member.controllers + ",") != std::string::npos)
      return point;
  }
  return {};
}

Status join(const std::string& directory) {
  const std::string file = directory + "/cgroup.procs";
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), "0", 1) != 1) return error(Errc::kernel, "write " + file, errno);
  return {};
}

// A leaf outside every job: on v2 a cgroup with children may hold no process. Slurm keeps its own idle
// process in "system" beside the jobs (cgroup_v2.c), which lives as long as the hierarchy; without it we make
// our own.
Status join_leaf_beside_jobs(const std::string& base) {
  if (join(base + "/system").ok()) return {};
  const std::string own = base + "/container-ib";
  if (::mkdir(own.c_str(), 0755) != 0 && errno != EEXIST) return error(Errc::kernel, "mkdir " + own, errno);
  return join(own);
}

void add_processes(const std::string& directory, int depth, std::vector<pid_t>& pids) {
  if (const auto text = read_small_file(directory + "/cgroup.procs")) {
    std::istringstream words(*text);
    for (pid_t pid = 0; words >> pid;)
      if (pid > 0) pids.push_back(pid);
  }
  if (depth == 0) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (!dir) return;
  while (const dirent* entry = ::readdir(dir.get()))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
      add_processes(directory + '/' + entry->d_name, depth - 1, pids);
}

void remove_below(const std::string& directory, int depth) {
  if (depth > 0) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
    while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr)
      if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
        remove_below(directory + '/' + entry->d_name, depth - 1);
  }
  (void)::rmdir(directory.c_str());  // fails while it holds a process or a child, as it should
}

constexpr int deepest = 8;  // Slurm's own tree is three deep; a task may add to it

}  // namespace

Status leave_step_cgroup() {
  for (const Membership& member : memberships("self")) {
    const auto job = member.path.find("/job_");
    if (job == std::string::npos) continue;
    const std::string point = mount_point(member);
    if (point.empty()) continue;  // not mounted here: nobody can use it to kill us either
    if (member.unified) {
      CIB_CHECK(join_leaf_beside_jobs(point + member.path.substr(0, job)));
    } else {
      CIB_CHECK(join(point + member.path.substr(0, std::min(job, member.path.find("/uid_")))));
    }
  }
  return {};
}

std::string step_cgroup_of(pid_t pid) {
  for (const Membership& member : memberships(std::to_string(pid))) {
    if (!member.unified && member.controllers != "freezer") continue;
    const auto step = member.path.find("/step_");
    if (member.path.find("/job_") == std::string::npos || step == std::string::npos) continue;
    const std::string point = mount_point(member);
    if (!point.empty()) return point + member.path.substr(0, member.path.find('/', step + 1));
  }
  return {};
}

bool remove_step_cgroup(const std::string& cgroup) {
  const auto step = cgroup.rfind("/step_");
  if (step == std::string::npos || cgroup.find("/job_") == std::string::npos) return true;
  remove_below(cgroup, deepest);
  (void)::rmdir(cgroup.substr(0, step).c_str());
  return ::access(cgroup.c_str(), F_OK) != 0;
}

std::vector<pid_t> processes_in(const std::string& cgroup) {
  std::vector<pid_t> pids;
  if (!cgroup.empty()) add_processes(cgroup, deepest, pids);
  return pids;
}

}  // namespace cib
