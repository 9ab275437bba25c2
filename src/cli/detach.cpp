#include <signal.h>

#include <memory>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "app/leave_container.hpp"
#include "command.hpp"
#include "json.hpp"
#include "output.hpp"
#include "state_options.hpp"

namespace cib::cli {

namespace {

struct DetachOptions {
  pid_t pid = 0;
  std::string name, state;
  bool json = false;
};

int run(const DetachOptions& options) {
  for (const int sig : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) (void)::signal(sig, SIG_IGN);
  const std::string name =
      options.pid != 0 ? container_attachment(std::to_string(options.pid)) : options.name;
  LiveStoredSteps stored(options.state);
  LiveKernel kernel(options.state);
  const auto detached = detach(stored, kernel, name);
  if (!detached) {
    if (detached.error().code == Errc::denied) return cannot_look("detach", detached.error());
    complain("detach", detached.error().message());
    return detached.error().code == Errc::bad_request ? usage : finding;
  }
  const bool all = detached->failed.empty();
  if (options.json)
    print(dump({{"name", name}, {"given_back", all}, {"findings", detached->failed}}) + "\n");
  else if (all)
    print("gave back " + name + "\n");
  for (const std::string& what : detached->failed)
    complain("detach", name + ": could not give back " + what +
                           "; it stays out of use, and the next 'container-ib detach' or 'reap' tries again");
  return all ? fine : finding;
}

}  // namespace

void add_detach(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DetachOptions>();
  CLI::App* command = app.add_subcommand("detach", "Take back what a container was given by 'attach'");
  auto* pid = command->add_option("--pid", options->pid, "the process that it was attached by")
                  ->type_name("PID")
                  ->check(CLI::PositiveNumber);
  auto* name =
      command->add_option("name", options->name, "as 'container-ib list' shows it")->type_name("pid-PID");
  pid->excludes(name);
  add_state_option(command, options->state);
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, pid, name, &exit_code] {
    if (pid->empty() && name->empty()) throw CLI::RequiredError("--pid or a name");
    exit_code = run(*options);
  });
}

}  // namespace cib::cli
