#pragma once

#include "container_ib/ports/remains.hpp"

namespace cib {

class LiveRemains final : public Remains {
 public:
  // `beginner`: pidfd of a slurmstepd that begins a step now, which may be one of the name of what is left;
  // not owned; -1: none.
  explicit LiveRemains(std::string state_dir, int beginner = -1)
      : state_dir_(std::move(state_dir)), beginner_(beginner) {}

  Result<std::vector<JournaledStep>> steps() override;
  Result<std::string> boot_id() override;
  bool is_alive(const JournaledProcess& process) override;
  std::vector<std::string> kill(const std::vector<JournaledProcess>& processes) override;
  Status exclusively(const std::string& step, const std::function<void(const JournaledStep&)>& work) override;
  Status remove(const std::string& step) override;
  Status verify_devices(const JournaledProcess& task, const std::vector<Port>& ports) override;

 private:
  std::string state_dir_;
  int beginner_;
};

}  // namespace cib
