#include "agent/reap.hpp"

#include <signal.h>
#include <unistd.h>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/capabilities/capabilities.hpp"
#include "adapters/linux/cgroup.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "adapters/state/state_dir.hpp"
#include "agent/log.hpp"
#include "agent/system_calls.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr int stepd_fd = 3;  // its pipe; nothing else is there, whoever starts us by hand has none

std::vector<std::string> troubles_of(const Reaped& reaped) {
  auto lines = reaped.deaths;
  lines.insert(lines.end(), reaped.findings.begin(), reaped.findings.end());
  return lines;
}

// For the user, whose step it is. A slurmstepd that does not read any more has ended.
void tell_stepd(const Reaped& reaped) {
  std::string text;
  for (const std::string& line : troubles_of(reaped)) text += line + '\n';
  (void)!::write(stepd_fd, text.data(), text.size());
}

}  // namespace

void log_troubles(const Reaped& reaped) {
  for (const std::string& line : troubles_of(reaped)) log_error("reap: " + line);
}

int reap_command(const std::string& state_dir, const std::string& job, const std::string& ended_stepd) {
  (void)::signal(SIGPIPE, SIG_IGN);  // slurmstepd may not wait for us until the end
  // Started by slurmstepd's exit, we must outlive its step; if not, what can be given back until then is.
  for (const auto& status :
       {leave_step_cgroup(), keep_needed_capabilities(Privileges::of_agent), allow_only_calls_of_reaper()})
    if (!status) log_error("reap: " + status.error().message());
  UniqueFd stepd;
  if (auto opened = open_pidfd(whole_number<pid_t>(ended_stepd).value_or(-1))) stepd = std::move(*opened);
  LiveStoredSteps stored(state_dir, stepd.get());
  LiveKernel kernel(state_dir);
  const auto reaped = reap(stored, kernel, job, ended_stepd);
  if (!reaped) {
    log_error("reap: " + reaped.error().message());
    return 1;
  }
  for (const std::string& step : reaped->given_back) log_info("reap: gave back " + title_of(step));
  log_troubles(*reaped);
  if (!ended_stepd.empty()) tell_stepd(*reaped);
  return reaped->findings.empty() ? 0 : 1;
}

int tell_death_command(const std::string& state_dir, const std::string& step) {
  (void)::signal(SIGPIPE, SIG_IGN);
  const auto stored = stored_step(state_dir, step);
  if (!stored || stored->held || !stored->records || stored->records->empty()) return 1;
  const std::string line = "the agent of this step died " + last_of(*stored->records) + "; its tasks go on\n";
  return ::write(stepd_fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) ? 0 : 1;
}

}  // namespace cib
