#include "agent/reap.hpp"

#include "adapters/attach/live_kernel.hpp"
#include "adapters/linux/cgroup.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/state/live_remains.hpp"
#include "agent/log.hpp"
#include "app/reap.hpp"
#include "container_ib/text.hpp"

namespace cib {

int reap_command(const std::string& state_dir, const std::string& job, const std::string& ended_stepd) {
  // Started by slurmstepd's exit, we must outlive its step; if not, what can be given back until then is.
  if (auto status = leave_step_cgroup(); !status) log_error("reap: " + status.error().message());
  UniqueFd stepd;
  if (auto opened = open_pidfd(whole_number<pid_t>(ended_stepd).value_or(-1))) stepd = std::move(*opened);
  LiveRemains remains(state_dir, stepd.get());
  LiveKernel kernel(state_dir);
  const auto reaped = reap(remains, kernel, job, ended_stepd);
  if (!reaped) {
    log_error("reap: " + reaped.error().message());
    return 1;
  }
  for (const std::string& step : reaped->given_back) log_info("reap: gave back step " + step);
  for (const std::string& line : reaped->findings) log_error("reap: " + line);
  return reaped->findings.empty() ? 0 : 1;
}

}  // namespace cib
