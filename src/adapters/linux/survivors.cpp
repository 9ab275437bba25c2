#include "adapters/linux/survivors.hpp"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <string_view>

#include "adapters/linux/cgroup.hpp"
#include "adapters/linux/deadline.hpp"
#include "adapters/linux/namespaces.hpp"
#include "adapters/linux/process.hpp"

namespace cib {

namespace {

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return pids;
  while (const dirent* entry = ::readdir(proc.get())) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr == name.data() + name.size())
      pids.push_back(pid);
  }
  return pids;
}

bool in_mount_namespace(pid_t pid, const std::vector<std::uint64_t>& inodes) {
  struct stat ns {};
  return ::stat(("/proc/" + std::to_string(pid) + "/ns/mnt").c_str(), &ns) == 0 &&
         std::find(inodes.begin(), inodes.end(), ns.st_ino) != inodes.end();
}

bool belongs(pid_t pid, const StepRemains& remains) {
  if (std::find(remains.tasks.begin(), remains.tasks.end(), pid) != remains.tasks.end()) return true;
  if (in_mount_namespace(pid, remains.mount_namespaces)) return true;
  const std::string cgroup = step_cgroup_of(pid);
  return !cgroup.empty() &&
         std::find(remains.cgroups.begin(), remains.cgroups.end(), cgroup) != remains.cgroups.end();
}

std::set<pid_t> candidates(const StepRemains& remains) {
  std::set<pid_t> pids(remains.tasks.begin(), remains.tasks.end());
  for (const std::string& cgroup : remains.cgroups)
    for (const pid_t pid : processes_in(cgroup)) pids.insert(pid);
  if (!remains.mount_namespaces.empty())
    for (const pid_t pid : all_processes())
      if (in_mount_namespace(pid, remains.mount_namespaces)) pids.insert(pid);
  pids.erase(::getpid());
  return pids;
}

// The pidfd is opened first and membership checked after, so a number that was used again meanwhile is not
// hit.
bool kill_one(pid_t pid, const StepRemains& remains) {
  const auto pidfd = open_pidfd(pid);
  if (!pidfd || has_ended(pidfd->get()) || !belongs(pid, remains)) return false;
  (void)::syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0U);
  return true;
}

}  // namespace

std::vector<std::string> kill_remains(StepRemains remains, int timeout_ms) {
  // Whatever went wrong before: the namespace that we are in is the node's, and all of the node is in it.
  const auto own = namespace_of_process(::getpid(), "mnt");
  if (!own) remains.mount_namespaces.clear();
  if (own) std::erase(remains.mount_namespaces, *own);
  const Deadline deadline(timeout_ms);
  for (;;) {
    std::vector<std::string> alive;
    for (const pid_t pid : candidates(remains)) {
      const std::string name = "pid " + std::to_string(pid) + " (" + process_name(pid) + ")";
      if (kill_one(pid, remains)) alive.push_back(name);
    }
    if (alive.empty()) {
      // A process on its way out, such as a killed slurmstepd, holds its cgroup a little longer than it is
      // listed there or holds its files (cgroup_exit in do_exit).
      const auto held = std::count_if(remains.cgroups.begin(), remains.cgroups.end(),
                                      [](const std::string& cgroup) { return !remove_step_cgroup(cgroup); });
      if (held == 0 || deadline.passed()) return alive;
    }
    if (deadline.passed()) return alive;
    const timespec pause{.tv_sec = 0, .tv_nsec = 10'000'000};
    (void)::nanosleep(&pause, nullptr);
  }
}

}  // namespace cib
