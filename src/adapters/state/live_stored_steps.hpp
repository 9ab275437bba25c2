#pragma once

#include "container_ib/world/stored_steps.hpp"

namespace cib {

class LiveStoredSteps final : public StoredSteps {
 public:
  // `stepd`: pidfd of a slurmstepd that is not killed, in whatever cgroup it is, since it begins a step now
  // or ends one (Survivors); not owned; -1: none.
  explicit LiveStoredSteps(std::string state_dir, int stepd = -1)
      : state_dir_(std::move(state_dir)), stepd_(stepd) {}

  Result<std::vector<JournaledStep>> steps() override;
  Result<std::string> boot_id() override;
  bool is_alive(const JournaledProcess& process) override;
  std::vector<std::string> kill(const std::vector<JournaledProcess>& processes) override;
  Status exclusively(const std::string& step, const std::function<void(const JournaledStep&)>& work) override;
  void await_agent(const std::string& step) override;
  Result<std::string> bury(const std::string& step) override;
  Status forget(const std::string& step) override;
  Status note(const std::string& step, const Record& record) override;
  Result<std::vector<ContainerMount>> device_mounts_of(const JournaledProcess& process,
                                                       const std::string& container) override;
  Status unmount_devices(const JournaledProcess& process, const std::string& container,
                         const std::vector<ContainerMount>& mounts) override;
  Status verify_devices(const JournaledProcess& task, const std::vector<Port>& ports) override;
  std::vector<std::vector<std::string>> look_inside(const JournaledProcess& task) override;

 private:
  std::string state_dir_;
  int stepd_;
};

}  // namespace cib
