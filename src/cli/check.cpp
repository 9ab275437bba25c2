#include "app/check.hpp"

#include <fmt/core.h>

#include <memory>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "command.hpp"
#include "json.hpp"
#include "output.hpp"
#include "state_options.hpp"

namespace cib::cli {

namespace {

struct CheckOptions {
  std::string state, which;
  bool json = false;
};

void print_text(const Checked& checked) {
  for (const std::string& line : checked.faults) complain("check", line);
  const auto count = checked.attachments.size();
  const std::string verdict =
      checked.faults.empty() ? "as recorded" : fmt::format("faults: {}", checked.faults.size());
  print(fmt::format("attachments: {}, {}\n", count, verdict));
  if (checked.changing != 0)
    print(fmt::format("passed over, since they begin or end: {}\n", checked.changing));
}

int run(const CheckOptions& options) {
  LiveStoredSteps stored(options.state);
  LiveKernel kernel(options.state);
  const auto checked = check(stored, kernel, options.which);
  if (!checked) return cannot_look("check", checked.error());
  if (options.json)
    print(dump({{"attachments", checked->attachments},
                {"changing", checked->changing},
                {"faults", checked->faults}}) +
          "\n");
  else
    print_text(*checked);
  return checked->faults.empty() ? fine : finding;
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command =
      app.add_subcommand("check", "Compare what is attached on this node with what was recorded");
  command
      ->add_option("step", options->which,
                   "only this job, this step of a job, or this attachment to a container")
      ->type_name("JOB[.STEP]|pid-PID");
  add_state_option(command, options->state);
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
