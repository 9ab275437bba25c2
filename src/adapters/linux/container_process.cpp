#include "adapters/linux/container_process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/container.hpp"
#include "adapters/linux/device_cgroup.hpp"
#include "adapters/linux/memlock.hpp"
#include "adapters/linux/mountinfo.hpp"
#include "adapters/linux/namespaces.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/linux/process.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::size_t most_of_environment = 1024UL * 1024;

std::string text_of(pid_t pid) {
  return "pid " + std::to_string(pid) + " (" + printable(process_name(pid)) + ")";
}

Status check_namespace(pid_t pid, std::uint64_t container) {
  CIB_TRY(const auto own, namespace_of_process(::getpid(), "mnt"));
  const auto first = namespace_of_process(1, "mnt");
  if (container != own && (!first || container != *first)) return {};
  return error(Errc::denied, text_of(pid) +
                                 " is in the node's own mount namespace, so there is no container to attach "
                                 "to; what runs there sees the node's devices");
}

Status check_root(pid_t pid, int mounts) {
  CIB_TRY(const bool same, has_root_of(mounts, pid));
  if (same) return {};
  return error(Errc::denied,
               text_of(pid) +
                   " has another root folder than its mount namespace (chroot), and would not see "
                   "what is mounted there");
}

// All that is mounted in it: what is below a shared mount goes to other mount namespaces too.
Status check_propagation(pid_t pid) {
  CIB_TRY(const auto mounts, mounts_of(pid));
  for (const std::string& place : places_of_mounts()) {
    const Mount* top = mount_at(mounts, place);
    if (top == nullptr || !top->shared) continue;
    return error(Errc::denied, "what is mounted at " + place + " of " + text_of(pid) +
                                   " would appear outside of its container too; start it with a " +
                                   place.substr(0, place.find('/', 1)) +
                                   " that is mounted rprivate or rslave");
  }
  return {};
}

}  // namespace

// The number is opened first and what is read of it after; asked last whether it is that process' still.
Result<ContainerProcess> ContainerProcess::open(pid_t pid) {
  const std::string number = std::to_string(pid);
  auto pidfd = open_pidfd(pid);
  if (!pidfd) {
    const int why = pidfd.error().sys_errno;
    if (why == EINVAL || why == ENOENT)
      return error(Errc::not_found, "pid " + number + " is a thread; name the process that it belongs to");
    return error(Errc::not_found, "there is no process " + number +
                                      "; the engine tells the one of a container: "
                                      "'docker inspect --format {{.State.Pid}} NAME', and podman's the same");
  }
  if (is_kernel_thread(pid))
    return error(Errc::denied, text_of(pid) + " is a kernel thread, and no container's process");
  UniqueFd mounts(::open(("/proc/" + number + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  if (!mounts && errno != ENOENT)
    return error(Errc::kernel, "open the mount namespace of pid " + number, errno);
  if (!mounts || has_ended(pidfd->get())) return error(Errc::ended, "pid " + number + " has ended");
  CIB_TRY(const auto container, namespace_of_descriptor(mounts.get(), "mnt"));
  CIB_CHECK(check_namespace(pid, container));
  CIB_CHECK(check_root(pid, mounts.get()));
  CIB_CHECK(check_propagation(pid));
  if (has_ended(pidfd->get()) || !holds_number(pidfd->get(), pid))
    return error(Errc::ended, "pid " + number + " has ended");
  return ContainerProcess(pid, std::move(*pidfd), std::move(mounts), std::to_string(container));
}

bool ContainerProcess::alive() const { return !has_ended(pidfd_.get()) && holds_number(pidfd_.get(), pid_); }

std::string ContainerProcess::name() const { return process_name(pid_); }

std::uint32_t ContainerProcess::uid() const {
  const auto owner = file_owner_of(pid_);
  return owner ? owner->uid : 0;
}

// What cannot be seen is no reason to refuse anything.
TaskContainer ContainerProcess::look() const {
  TaskContainer found{.id = container_};
  if (auto shown = rdma_devices_shown_in(mounts_.get())) found.devices = std::move(*shown);
  return found;
}

Status ContainerProcess::has_own_network() const {
  CIB_TRY(const UniqueFd network, open_network_namespace_of(pidfd_.get(), pid_));
  return {};
}

std::map<std::string, std::string> ContainerProcess::variables(
    const std::vector<std::string_view>& names) const {
  std::map<std::string, std::string> found;
  const auto block = read_small_file("/proc/" + std::to_string(pid_) + "/environ", most_of_environment);
  if (!block || !alive()) return found;
  for (const std::string_view entry : split(*block, '\0')) {
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = entry.substr(0, equals);
    if (std::find(names.begin(), names.end(), name) != names.end())
      found.emplace(name, entry.substr(equals + 1));
  }
  return found;
}

Status ContainerProcess::relay(const NetnsFile&, const TcpEndpoint&) {
  return error(Errc::bug, "a container that runs already has no PMIx server of Slurm's");
}

// What the option could ask for of these is refused before (check_attach_option).
Result<ImageFacts> ContainerProcess::look_at_image(unsigned) {
  return error(Errc::bug, "nothing is lent to a container that runs already");
}

Result<LentLibraries> ContainerProcess::lend_providers(unsigned, const std::vector<std::string>&,
                                                       const ImageFacts&) {
  return error(Errc::bug, "nothing is lent to a container that runs already");
}

Result<std::vector<WidenDeviceCgroup>> ContainerProcess::device_cgroups_of(unsigned,
                                                                           const std::vector<Port>& ports,
                                                                           bool umad) {
  CIB_TRY(const auto nodes, find_device_nodes(ports, umad));
  std::vector<DeviceNumber> numbers;
  for (const DeviceNode& node : nodes) numbers.push_back({major(node.rdev), minor(node.rdev)});
  CIB_TRY(const auto cgroups, device_cgroups_to_widen(pid_, numbers));
  if (!alive()) return error(Errc::ended, "pid " + std::to_string(pid_) + " has ended");
  std::vector<WidenDeviceCgroup> actions;
  unknown_programs_ = cgroups.unknown;
  for (const auto& [directory, inode, kept] : cgroups.to_widen) {
    std::vector<std::string> devices;
    for (const DeviceNumber& device : kept)
      devices.push_back(std::to_string(device.major) + ':' + std::to_string(device.minor));
    actions.push_back({directory, inode, join(devices, ",")});
  }
  return actions;
}

std::vector<std::string> ContainerProcess::notes() const {
  std::vector<std::string> lines;
  for (const std::string& directory : unknown_programs_)
    lines.push_back("a device program of cgroup " + directory +
                    " is not one that container-ib understands; opening the devices may fail");
  return lines;
}

Status ContainerProcess::fill_folder(unsigned, const TaskFolder&) {
  return error(Errc::bug, "a container that runs already starts no other ones");
}

template <class Work>
Status ContainerProcess::until_settled(Work work) {
  const auto try_work = [&]() -> Status {
    return alive() ? work() : Status(error(Errc::ended, "pid " + std::to_string(pid_) + " has ended"));
  };
  return cib::until_settled(try_work, [] { return true; });
}

Status ContainerProcess::mount_devices(unsigned, const std::vector<Port>& ports, bool umad) {
  auto before = rdma_devices_shown_in(mounts_.get());
  WhatToShow what{.ports = ports, .umad = umad};
  if (before) what.shown_before = *std::move(before);
  return until_settled([&]() -> Status {
    what.maker = owner_of_dev(mounts_.get());
    auto status = show_devices(mounts_.get(), what, shown_);
    return status.ok() ? status : Status(no_place_for_devices(std::move(status).error()));
  });
}

Status ContainerProcess::adopt_devices(unsigned, const std::vector<Port>& ports, bool umad) {
  return until_settled([&] { return cib::adopt_devices(mounts_.get(), ports, umad, shown_); });
}

Status ContainerProcess::unmount_devices(unsigned) { return hide_devices(mounts_.get(), shown_); }

Status ContainerProcess::raise_memlock(unsigned, std::optional<std::uint64_t> cap) {
  return raise_memlock_of(pidfd_.get(), cap);
}

namespace {

Result<CpuSet> mask_of(pid_t pid) {
  constexpr std::size_t most_words = 128;  // 8,192 CPUs, as the kernel has at most
  std::vector<std::uint64_t> mask(most_words);
  if (::sched_getaffinity(pid, mask.size() * sizeof mask[0], reinterpret_cast<cpu_set_t*>(mask.data())) != 0)
    return error(errno == ESRCH ? Errc::ended : Errc::kernel,
                 "read the CPU mask of pid " + std::to_string(pid), errno);
  return CpuSet(std::move(mask));
}

}  // namespace

Result<CpusOfProcess> cpus_of_process(pid_t pid) {
  CIB_TRY(CpuSet mask, mask_of(pid));
  const auto first = mask_of(1);
  const bool bound = first && mask != *first;
  return CpusOfProcess{std::move(mask), bound};
}

}  // namespace cib
