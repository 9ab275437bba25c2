#include "adapters/state/live_stored_steps.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <map>
#include <optional>

#include "adapters/linux/container.hpp"
#include "adapters/linux/deadline.hpp"
#include "adapters/linux/devices.hpp"
#include "adapters/linux/find_process.hpp"
#include "adapters/linux/namespaces.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/linux/shown_devices.hpp"
#include "adapters/linux/survivors.hpp"
#include "adapters/state/state_dir.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr int kill_timeout_ms = 3'000;     // an epilog waits for us
constexpr int reaper_timeout_ms = 30'000;  // another reaper may have a few VFs to register anew
constexpr int agent_timeout_ms = 10'000;   // an agent kills for 5 s, and gives back
constexpr int agent_pause_ms = 20;

std::optional<pid_t> number_here(const JournaledProcess& process) {
  return find_process(process.pid, process.start, process.pid_namespace);
}

}  // namespace

Result<std::vector<JournaledStep>> LiveStoredSteps::steps() { return stored_steps(state_dir_); }

Result<std::string> LiveStoredSteps::boot_id() { return cib::boot_id(); }

bool LiveStoredSteps::is_alive(const JournaledProcess& process) { return number_here(process).has_value(); }

// A number is opened first and looked at after: when it is the journal's process then, so is the pidfd.
std::vector<std::string> LiveStoredSteps::kill(const std::vector<JournaledProcess>& processes) {
  std::vector<UniqueFd> tasks;
  std::map<std::uint64_t, StepCgroup> cgroups;
  Survivors survivors{.reused = true, .stepd = stepd_};
  for (const JournaledProcess& process : processes) {
    auto pidfd = open_pidfd(number_here(process).value_or(-1));
    if (pidfd && is_alive(process)) tasks.push_back(std::move(*pidfd));
    const auto inode = whole_number<std::uint64_t>(process.cgroup_inode).value_or(0);
    if (cgroups.contains(inode)) continue;
    if (auto cgroup = open_step_cgroup(process.cgroup, inode)) cgroups.emplace(inode, std::move(*cgroup));
  }
  for (const UniqueFd& task : tasks) survivors.tasks.push_back(task.get());
  for (const auto& [inode, cgroup] : cgroups) survivors.cgroups.push_back(&cgroup);
  return kill_survivors(survivors, kill_timeout_ms);
}

Status LiveStoredSteps::exclusively(const std::string& step,
                                    const std::function<void(const JournaledStep&)>& work) {
  CIB_TRY(const UniqueFd lock, lock_stored_step(state_dir_, step, reaper_timeout_ms));
  if (!lock) return {};
  CIB_TRY(const JournaledStep now, stored_step(state_dir_, step));
  work(now);
  return {};
}

// The kernel tells nobody of a lock that is let go but who waits for it, and such a wait has no bound.
void LiveStoredSteps::await_agent(const std::string& step) {
  (void)poll_until(Deadline(agent_timeout_ms), agent_pause_ms, [&] {
    const auto now = stored_step(state_dir_, step);
    return !now || !now->held;
  });
}

Result<std::string> LiveStoredSteps::bury(const std::string& step) {
  return bury_stored_step(state_dir_, step);
}

Status LiveStoredSteps::forget(const std::string& step) { return forget_stored_step(state_dir_, step); }

Status LiveStoredSteps::note(const std::string& step, const Record& record) {
  return append_to_stored_step(state_dir_, step, record);
}

namespace {

// "0:57", as mountinfo has it.
std::optional<dev_t> device_number(const std::string& text) {
  const auto parts = split(text, ':');
  if (parts.size() != 2) return std::nullopt;
  const auto major = whole_number<unsigned>(parts[0]), minor = whole_number<unsigned>(parts[1]);
  return major && minor ? std::optional(makedev(*major, *minor)) : std::nullopt;
}

}  // namespace

// Asked last whether it lives: when the number is still this process', what was read is of it.
Result<std::vector<ContainerMount>> LiveStoredSteps::device_mounts_of(const JournaledProcess& process,
                                                                      const std::string& container) {
  const auto pid = number_here(process);
  if (!pid) return std::vector<ContainerMount>();
  const auto inode = namespace_of_process(*pid, "mnt");
  const auto ours = own_mounts_at(*pid, places_of_mounts());
  if (number_here(process) != pid || !inode || std::to_string(*inode) != container)
    return std::vector<ContainerMount>();
  if (!ours) return ours.error();
  std::vector<ContainerMount> mounts;
  for (const Mount& mount : *ours) mounts.push_back({mount.point, mount.device});
  return mounts;
}

namespace {

// The container's, by that process of it; invalid: it has ended, or is in another one.
Result<UniqueFd> open_mounts(const JournaledProcess& process, const std::string& container) {
  const auto pid = number_here(process);
  if (!pid) return UniqueFd();
  UniqueFd mounts(::open(("/proc/" + std::to_string(*pid) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  const int why = errno;
  if (number_here(process) != pid) return UniqueFd();
  if (!mounts) return error(Errc::kernel, "open the mount namespace of pid " + std::to_string(*pid), why);
  CIB_TRY(const auto inode, namespace_of_descriptor(mounts.get(), "mnt"));
  return std::to_string(inode) == container ? std::move(mounts) : UniqueFd();
}

}  // namespace

// What is left when something fails is still on top, and the next device_mounts_of() has it.
Status LiveStoredSteps::unmount_devices(const JournaledProcess& process, const std::string& container,
                                        const std::vector<ContainerMount>& mounts) {
  CIB_TRY(const UniqueFd inside, open_mounts(process, container));
  if (!inside) return {};
  ShownDevices ours;
  for (const auto& [point, device] : mounts) {
    const auto number = device_number(device);
    if (!number) return error(Errc::bug, "'" + device + "' is no st_dev");
    if (point == place_of_devices)
      ours.devices = *number;
    else
      ours.classes.push_back({point, *number});
  }
  return hide_devices(inside.get(), ours);
}

// Asked last whether it lives: when the number is still this task's, so was the namespace.
Status LiveStoredSteps::verify_devices(const JournaledProcess& task, const std::vector<Port>& ports) {
  CIB_TRY(const auto nodes, find_device_nodes(ports, false));
  const auto pid = number_here(task);
  if (!pid) return {};
  for (const DeviceNode& node : nodes) {
    auto status = verify_device_node("/proc/" + std::to_string(*pid) + "/ns/mnt", node);
    if (number_here(task) != pid) return {};
    if (!status) return status;
  }
  return {};
}

std::vector<std::vector<std::string>> LiveStoredSteps::look_inside(const JournaledProcess& task) {
  const auto pid = number_here(task);
  if (!pid) return {};
  auto shown = cib::look_inside({*pid}, {}).of[*pid];
  return number_here(task) == pid ? shown : std::vector<std::vector<std::string>>();
}

}  // namespace cib
