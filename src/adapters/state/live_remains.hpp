#pragma once

#include "container_ib/ports/remains.hpp"

namespace cib {

class LiveRemains final : public Remains {
 public:
  explicit LiveRemains(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  Result<std::vector<JournaledStep>> steps() override;
  Result<std::string> boot_id() override;
  bool is_alive(const JournaledProcess& process) override;
  std::vector<std::string> kill(const std::vector<JournaledProcess>& processes) override;
  Status exclusively(const std::string& step, const std::function<void(const JournaledStep&)>& work) override;
  void await_agent(const std::string& step) override;
  Result<std::string> bury(const std::string& step) override;
  Status verify_devices(const JournaledProcess& task, const std::vector<Port>& ports) override;

 private:
  std::string state_dir_;
};

}  // namespace cib
