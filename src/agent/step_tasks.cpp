#include "agent/step_tasks.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "adapters/linux/cgroup.hpp"
#include "adapters/linux/devices.hpp"
#include "adapters/linux/memlock.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "adapters/linux/survivors.hpp"

namespace cib {

namespace {

constexpr int answer_timeout_ms = 1'000;  // a task in task_init reads at once; one that does not is broken
constexpr int kill_timeout_ms = 5'000;

Result<struct stat> namespace_identity(const std::string& path) {
  struct stat identity {};
  if (::stat(path.c_str(), &identity) != 0)
    return error(errno == ENOENT ? Errc::unavailable : Errc::kernel, "stat " + path, errno);
  return identity;
}

// A mount namespace of the host's user namespace may be that of the host, of a daemon or of all steps of a
// job; what a task joins without privileges belongs to a user namespace of its user's.
Status check_owned_by_user(int mount_namespace) {
  const UniqueFd owner(::ioctl(mount_namespace, NS_GET_USERNS));
  struct stat identity {};
  if (!owner || ::fstat(owner.get(), &identity) != 0)
    return error(Errc::kernel, "find the owner of the container's mount namespace", errno);
  CIB_TRY(const auto host, namespace_identity("/proc/self/ns/user"));
  if (host.st_dev == identity.st_dev && host.st_ino == identity.st_ino)
    return error(Errc::denied,
                 "it is neither in the mount namespace that it offered nor in a user's container");
  return {};
}

template <class M>
void answer(int channel, const std::string& text) {
  M message;
  message.text.set_cut(text);
  (void)send_frame(channel, message, answer_timeout_ms);  // a task that is gone needs no answer
}

}  // namespace

std::string StepTasks::set_process(unsigned task, pid_t pid, UniqueFd pidfd) {
  Handles& t = tasks_[task];
  t.pid = pid;
  t.pidfd = std::move(pidfd);
  t.cgroup = step_cgroup_of(pid);
  return t.cgroup;
}

bool StepTasks::alive(unsigned task) const {
  return tasks_[task].pidfd.valid() && !has_ended(tasks_[task].pidfd.get());
}

Status StepTasks::offer_mount_namespace(unsigned task, UniqueFd ns) {
  if (::ioctl(ns.get(), NS_GET_NSTYPE) != CLONE_NEWNS)
    return error(Errc::denied, "the offered descriptor is no mount namespace");
  struct stat offered {};
  if (::fstat(ns.get(), &offered) != 0) return error(Errc::kernel, "stat the mount namespace", errno);
  CIB_TRY(const auto own, namespace_identity("/proc/self/ns/mnt"));
  if (own.st_dev == offered.st_dev && own.st_ino == offered.st_ino)
    return error(Errc::denied, "the offered mount namespace is the host's");
  Handles& t = tasks_[task];
  if (t.mount_namespace.valid()) return error(Errc::denied, "a second mount namespace");
  t.mount_namespace = std::move(ns);
  t.namespace_inode = offered.st_ino;
  return {};
}

Status StepTasks::settle_mount_namespace(unsigned task) {
  Handles& t = tasks_[task];
  if (!t.mount_namespace.valid()) return error(Errc::denied, "ready without a mount namespace");
  if (!t.pidfd.valid()) return error(Errc::denied, "ready before slurmstepd told of it");
  const std::string path = "/proc/" + std::to_string(t.pid) + "/ns/mnt";
  UniqueFd actual(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat identity {};
  if (!actual || ::fstat(actual.get(), &identity) != 0)
    return error(errno == ENOENT ? Errc::unavailable : Errc::kernel, "open " + path, errno);
  if (!alive(task)) return error(Errc::unavailable, "it has ended");  // so what we opened was of that process
  if (identity.st_ino != t.namespace_inode) {
    CIB_CHECK(check_owned_by_user(actual.get()));
    t.mount_namespace = std::move(actual);
    t.container = identity.st_ino;
    return {};
  }
  for (const Handles& other : tasks_)
    if (&other != &t && other.namespace_inode == t.namespace_inode)
      return error(Errc::denied, "its mount namespace is another task's");
  return {};
}

// The task that the devices were mounted for in the container that this one is in too.
const StepTasks::Handles* StepTasks::sharer_with_devices(unsigned task) const {
  const auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const Handles& other) {
    return tasks_[task].container != 0 && other.container == tasks_[task].container && other.mounted != 0;
  });
  return found == tasks_.end() ? nullptr : &*found;
}

Status StepTasks::mount_devices(unsigned task, const std::vector<Port>& ports, bool umad) {
  if (!alive(task)) return error(Errc::unavailable, "the task has ended");
  CIB_TRY(const auto nodes, find_device_nodes(ports, umad));
  std::vector<std::string> names;
  for (const DeviceNode& node : nodes) names.push_back(node.name);
  if (const Handles* other = sharer_with_devices(task)) {
    if (other->nodes == names) return {};
    return error(Errc::bad_request,
                 "the node's tasks share a container, which has one /dev/infiniband for all; add scope=node");
  }
  CIB_TRY(const UniqueFd mount, make_device_mount(nodes));
  struct stat made {};
  if (::fstat(mount.get(), &made) != 0) return error(Errc::kernel, "stat the device mount", errno);
  CIB_CHECK(mount_over_infiniband(tasks_[task].mount_namespace.get(), mount));
  tasks_[task].mounted = made.st_dev;
  tasks_[task].nodes = std::move(names);
  // A device that was registered anew meanwhile may have lost its minor to another one (ida, uverbs_main.c).
  const auto again = find_device_nodes(ports, umad);
  bool same = again.ok() && again->size() == nodes.size();
  for (std::size_t i = 0; same && i < nodes.size(); ++i) same = (*again)[i].rdev == nodes[i].rdev;
  if (same) return {};
  (void)unmount_devices(task);
  return error(Errc::unavailable, "the RDMA devices changed while they were attached; try again");
}

Status StepTasks::unmount_devices(unsigned task) {
  Handles& t = tasks_[task];
  if (t.mounted == 0) return {};
  CIB_CHECK(unmount_infiniband(t.mount_namespace.get(), t.mounted));
  t.mounted = 0;
  return {};
}

Status StepTasks::raise_memlock(unsigned task, std::optional<std::uint64_t> cap) {
  if (!alive(task)) return error(Errc::unavailable, "the task has ended");
  return raise_memlock_of(tasks_[task].pid, cap);
}

void StepTasks::grant(unsigned task, const std::vector<EnvironmentChange>& set,
                      const std::vector<std::string>& lines, bool memlock_raised) {
  const int channel = tasks_[task].channel.get();
  for (const EnvironmentChange& change : set) {
    wire::Variable variable;
    if (!variable.name.set(change.name) || !variable.value.set(change.value))
      return refuse(task, "variable " + change.name + " is too long to pass on");
    if (!send_frame(channel, variable, answer_timeout_ms).ok()) return;
  }
  for (const std::string& line : lines) answer<wire::Line>(channel, line);
  wire::Grant grant;
  grant.memlock_raised = memlock_raised ? 1 : 0;
  (void)send_frame(channel, grant, answer_timeout_ms);
}

void StepTasks::decline(unsigned task, const std::string& why) {
  answer<wire::Decline>(tasks_[task].channel.get(), why);
}
void StepTasks::refuse(unsigned task, const std::string& why) {
  answer<wire::Refuse>(tasks_[task].channel.get(), why);
}

std::vector<std::string> StepTasks::kill_survivors() {
  StepRemains remains;
  for (const Handles& t : tasks_) {
    if (t.pidfd.valid() && !has_ended(t.pidfd.get())) remains.tasks.push_back(t.pid);
    if (!t.cgroup.empty()) remains.cgroups.push_back(t.cgroup);
    if (t.mount_namespace.valid()) remains.mount_namespaces.push_back(t.namespace_inode);
  }
  return kill_remains(remains, kill_timeout_ms);
}

}  // namespace cib
