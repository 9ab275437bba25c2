#include "adapters/linux/survivors.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/container.hpp"
#include "adapters/linux/deadline.hpp"
#include "adapters/linux/namespaces.hpp"
#include "adapters/linux/process.hpp"

namespace cib {

namespace {

using Names = std::vector<std::string>;
using Pids = std::vector<pid_t>;

constexpr std::size_t a_time = 256;  // pidfds that are open at once
constexpr int pause_ms = 10;

void kill_it(int pidfd, Names& alive) {
  if (has_ended(pidfd)) return;
  alive.push_back(process_text(pidfd));
  (void)kill_process(pidfd);
}

// What `members` lists is numbers. A process is killed if it had its number both before and after it was
// listed: open, list again, ask.
template <class Members>
void kill_members(Members members, pid_t spared, Names& alive) {
  const Pids listed = members();
  for (std::size_t first = 0; first < listed.size(); first += a_time) {
    std::vector<std::pair<pid_t, UniqueFd>> open;
    for (std::size_t i = first; i < std::min(first + a_time, listed.size()); ++i)
      if (auto pidfd = open_pidfd(listed[i])) open.emplace_back(listed[i], std::move(*pidfd));
    const Pids again = members();
    const std::set<pid_t> still(again.begin(), again.end());
    for (const auto& [pid, pidfd] : open)
      if (pid != spared && pid != ::getpid() && still.contains(pid) && holds_number(pidfd.get(), pid))
        kill_it(pidfd.get(), alive);
  }
}

// Of root, which no task is; a user who makes one look so (a set-uid program by another name) keeps only what
// is his from being given back.
bool is_slurmstepd(pid_t pid) {
  const auto status = read_small_file("/proc/" + std::to_string(pid) + "/status");
  return status && status->starts_with("Name:\tslurmstepd\n") &&
         status->find("\nUid:\t0\t") != std::string::npos && status->find("\nState:\tZ") == std::string::npos;
}

bool is_one_of(pid_t pid, const std::vector<int>& pidfds) {
  return std::any_of(pidfds.begin(), pidfds.end(), [pid](int pidfd) { return holds_number(pidfd, pid); });
}

void kill_in_cgroup(const StepCgroup& cgroup, const Survivors& survivors, Names& alive) {
  const Pids pids = processes_in(cgroup);
  const auto number = survivors.stepd >= 0 ? pid_of(survivors.stepd) : Result<pid_t>(pid_t{-1});
  const pid_t spared = number ? *number : -1;
  if (survivors.reused)
    for (const pid_t pid : pids)
      if (pid != spared && is_slurmstepd(pid) && !is_one_of(pid, survivors.tasks)) {
        alive.push_back("pid " + std::to_string(pid) + " (slurmstepd), of a later step in the same cgroup,");
        return;
      }
  const bool all = std::none_of(pids.begin(), pids.end(),
                                [spared](pid_t pid) { return pid == spared || pid == ::getpid(); });
  if (all && !pids.empty()) (void)kill_at_once(cgroup);
  kill_members([&] { return processes_in(cgroup); }, spared, alive);
}

template <class Spare>
void kill_in_namespaces(const std::vector<std::uint64_t>& namespaces, Spare spare, Names& alive) {
  if (namespaces.empty()) return;
  const auto inside = [&] {
    Pids pids = all_processes();
    std::erase_if(pids, [&](pid_t pid) {
      const auto its = namespace_of_process(pid, "mnt");
      return !its || std::find(namespaces.begin(), namespaces.end(), *its) == namespaces.end() || spare(pid);
    });
    return pids;
  };
  kill_members(inside, -1, alive);
}

// By their inode numbers, which are theirs as long as the descriptors are held. Whatever went wrong before:
// the namespace that we are in is the node's, and all of the node is in it.
std::vector<std::uint64_t> numbers_of(const std::vector<int>& mount_namespaces) {
  std::vector<std::uint64_t> numbers;
  const auto own = namespace_of_process(::getpid(), "mnt");
  for (const int fd : mount_namespaces)
    if (const auto number = namespace_of_descriptor(fd, "mnt"); number && own && *number != *own)
      numbers.push_back(*number);
  return numbers;
}

}  // namespace

Names kill_survivors(const Survivors& survivors, int timeout_ms) {
  const auto namespaces = numbers_of(survivors.mount_namespaces),
             containers = numbers_of(survivors.containers);
  Names alive;
  (void)poll_until(Deadline(timeout_ms), pause_ms, [&] {
    alive.clear();
    for (const int task : survivors.tasks) kill_it(task, alive);
    for (const StepCgroup* cgroup : survivors.cgroups) kill_in_cgroup(*cgroup, survivors, alive);
    kill_in_namespaces(
        namespaces, [](pid_t) { return false; }, alive);
    kill_in_namespaces(
        containers, [&](pid_t pid) { return is_of_another_step(pid, survivors.job, survivors.step); }, alive);
    if (!alive.empty()) return false;
    // A process on its way out, such as a killed slurmstepd, holds its cgroup a little longer than it is
    // listed there or holds its files (cgroup_exit in do_exit).
    const auto held = std::count_if(survivors.cgroups.begin(), survivors.cgroups.end(),
                                    [](const StepCgroup* cgroup) { return !remove_step_cgroup(*cgroup); });
    return held == 0 || survivors.stepd >= 0;
  });
  return alive;
}

}  // namespace cib
