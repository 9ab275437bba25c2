// A container that runs already, by one of its processes.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/linux/shown_devices.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "container_ib/world/tasks.hpp"

namespace cib {

// What is attached, as the one task 0: its pidfd and its mount namespace are held while this lives, so
// neither number is anybody else's. Closing the namespace may wait for the container's file systems when it
// is the last descriptor of one; so nothing that matters comes after the end of this.
class ContainerProcess final : public AttachedTasks {
 public:
  // Errors name the process and what to do: not_found when there is none, denied when it is in the node's own
  // mount namespace or what is mounted in the container would be seen outside of it.
  static Result<ContainerProcess> open(pid_t pid);

  pid_t pid() const { return pid_; }
  bool alive() const;
  std::string name() const;        // "sleep"
  std::uint32_t uid() const;       // of the node, that it runs as
  TaskContainer look() const;      // its container, as TaskContainer says
  Status has_own_network() const;  // whether its network may get an interface, and why not
  // Values of its environment, as it was started with; of these names, those that are set.
  std::map<std::string, std::string> variables(const std::vector<std::string_view>& names) const;
  // What nobody can tell of what was done to it, a line each.
  std::vector<std::string> notes() const;

  Status relay(const NetnsFile& netns, const TcpEndpoint& endpoint) override;
  void end_relay() override {}
  std::vector<std::string> withheld_from(unsigned) override { return {}; }  // there is no Slurm
  Result<ImageFacts> look_at_image(unsigned task) override;
  Result<LentLibraries> lend_providers(unsigned task, const std::vector<std::string>& providers,
                                       const ImageFacts& image) override;
  Result<std::vector<WidenDeviceCgroup>> device_cgroups_of(unsigned task, const std::vector<Port>& ports,
                                                           bool umad) override;
  Status fill_folder(unsigned task, const TaskFolder& folder) override;
  Status mount_devices(unsigned task, const std::vector<Port>& ports, bool umad) override;
  Status adopt_devices(unsigned task, const std::vector<Port>& ports, bool umad) override;
  Status unmount_devices(unsigned task) override;
  Status raise_memlock(unsigned task, std::optional<std::uint64_t> cap) override;

 private:
  ContainerProcess(pid_t pid, UniqueFd pidfd, UniqueFd mounts, std::string container)
      : pid_(pid), pidfd_(std::move(pidfd)), mounts_(std::move(mounts)), container_(std::move(container)) {}
  template <class Work>
  Status until_settled(Work work);

  pid_t pid_;
  UniqueFd pidfd_, mounts_;
  std::string container_;  // inode number of the mount namespace
  ShownDevices shown_;
  std::vector<std::string> unknown_programs_;  // directories of their cgroups
};

// The CPUs that a process may use, and whether they are fewer than those of the first process here.
struct CpusOfProcess {
  CpuSet mask;
  bool bound = false;
};
Result<CpusOfProcess> cpus_of_process(pid_t pid);

}  // namespace cib
