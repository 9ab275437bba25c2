// container-ib-agent: the root process that serves one step on one node, or reaps what dead ones left.
//
//   container-ib-agent step
//       lifeline on descriptor 3; started by the plugin, not by hand
//   container-ib-agent relay
//       control socket on descriptor 3, slurmstepd's pidfd on 4; started by the agent
//   container-ib-agent reap STATE_DIR [JOB [PID]]
//       gives back what steps without a living owner left; the step of the slurmstepd PID is over though that
//       lives
//   container-ib-agent died STATE_DIR STEP
//       says on descriptor 3 what the journal tells of the death of that step's agent

#include <cstring>

#include "agent/agent.hpp"
#include "agent/confine.hpp"
#include "agent/log.hpp"
#include "agent/reap.hpp"
#include "agent/system_calls.hpp"
#include "relay/serve.hpp"

namespace {

constexpr int lifeline_fd = 3;
constexpr int control_fd = 3, stepd_fd = 4;  // of the relay

int run_step() {
  if (auto status = cib::confine(lifeline_fd); !status) {
    cib::log_error(status.error().message());
    return 1;
  }
  cib::Agent agent{cib::UniqueFd(lifeline_fd)};
  if (auto status = agent.run(); !status) {
    cib::log_error(status.error().message());
    return 1;
  }
  return 0;
}

int run_relay() {
  if (auto status = cib::serve_relay(cib::UniqueFd(control_fd), cib::UniqueFd(stepd_fd),
                                     cib::allow_only_calls_of_relay);
      !status) {
    cib::log_error("relay: " + status.error().message());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 2 && std::strcmp(argv[1], "step") == 0) return run_step();
  if (argc == 2 && std::strcmp(argv[1], "relay") == 0) return run_relay();
  if (argc >= 3 && argc <= 5 && std::strcmp(argv[1], "reap") == 0)
    return cib::reap_command(argv[2], argc > 3 ? argv[3] : "", argc > 4 ? argv[4] : "");
  if (argc == 4 && std::strcmp(argv[1], "died") == 0) return cib::tell_death_command(argv[2], argv[3]);
  return 2;
} catch (const std::exception& e) {
  cib::log_error(std::string("unexpected: ") + e.what());
  return 1;
}
