#include "app/reap.hpp"

#include <memory>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "command.hpp"
#include "json.hpp"
#include "output.hpp"
#include "state_options.hpp"

namespace cib::cli {

namespace {

struct ReapOptions {
  std::string state, job;
  bool json = false;
};

int run(const ReapOptions& options) {
  LiveStoredSteps stored(options.state);
  LiveKernel kernel(options.state);
  const auto reaped = reap(stored, kernel, options.job);
  if (!reaped) return cannot_look("reap", reaped.error());
  if (options.json) {
    print(dump({{"given_back", reaped->given_back},
                {"deaths", reaped->deaths},
                {"findings", reaped->findings}}) +
          "\n");
  } else {
    for (const std::string& step : reaped->given_back) print("gave back " + title_of(step) + "\n");
    for (const std::string& line : reaped->deaths) print(line + "\n");
    for (const std::string& line : reaped->findings) complain("reap", line);
  }
  return reaped->findings.empty() ? fine : finding;
}

}  // namespace

void add_reap(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ReapOptions>();
  CLI::App* command = app.add_subcommand(
      "reap", "Give back what steps and containers without a living owner left on this node");
  command->add_option("job", options->job, "only steps of this job, or this attachment to a container")
      ->type_name("JOB|pid-PID");
  add_state_option(command, options->state);
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
