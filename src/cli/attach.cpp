#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/linux/container_process.hpp"
#include "adapters/linux/find_process.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/linux/user_namespace.hpp"
#include "adapters/node/live_node.hpp"
#include "adapters/node/site_file.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "app/attach_container.hpp"
#include "command.hpp"
#include "container_ib/text.hpp"
#include "json.hpp"
#include "node_options.hpp"
#include "output.hpp"
#include "state_options.hpp"

namespace cib::cli {

namespace {

struct AttachOptions {
  pid_t pid = 0;
  std::string option, config, node, state;
  bool json = false;
};

// It goes on to its end, in bounded time: half of it would be of no use, and have to be given back.
void ignore_signals() {
  for (const int sig : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) (void)::signal(sig, SIG_IGN);
}

Status check_privileges() {
  if (::geteuid() != 0) return error(Errc::denied, "only root can attach devices to a container");
  return check_hosts_user_namespace();
}

std::string gpus_of(const ContainerProcess& process) {
  const auto set =
      process.variables({"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"});
  return set.empty() ? std::string() : set.begin()->second;
}

// What the site's file has is no fault here: whoever reads it to attach says so.
std::vector<std::string_view> variables_to_ask(const std::vector<std::string>& of_site) {
  std::vector<std::string_view> names = environment_inputs();
  for (const std::string& name : of_site)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

Result<ContainerFacts> facts_of(const ContainerProcess& process, const std::vector<std::string>& of_site) {
  ContainerFacts facts;
  facts.process = identity_of(process.pid());
  facts.uid = process.uid();
  CIB_TRY(CpusOfProcess cpus, cpus_of_process(process.pid()));
  facts.mask = std::move(cpus.mask);
  facts.bound = cpus.bound;
  facts.inside = process.look();
  if (auto status = process.has_own_network(); !status) facts.no_network = std::move(status).error();
  facts.variables = process.variables(variables_to_ask(of_site));
  facts.gpus = gpus_of(process);
  // Asked last: so all of it was read of that process.
  if (!process.alive() || facts.process.start.empty())
    return error(Errc::ended, fmt::format("pid {} has ended", process.pid()));
  return facts;
}

Result<AttachRequest> request_of(const AttachOptions& options, const ContainerProcess& process) {
  AttachRequest request;
  request.option = options.option;
  request.config_path = options.config;
  request.node_name = options.node.empty() ? node_name_here() : options.node;
  request.owner.agent = identity_of(::getpid());
  CIB_TRY(request.owner.boot, boot_id());
  request.owner.pid_namespace = pid_namespace_here();
  request.owner.since = std::to_string(std::time(nullptr));
  const auto file = read_site_file(options.config);
  CIB_TRY(request.container, facts_of(process, file ? names_of_site_variables(file->site.environment)
                                                    : std::vector<std::string>()));
  return request;
}

std::string summary(const AttachedContainer& attached, const std::string& command) {
  std::string line =
      fmt::format("{} ({}): {}, {}", attached.name, command, mode_name(attached.mode), join(attached.ports));
  if (!attached.netdevs.empty()) line += ", " + join(attached.netdevs);
  if (!attached.addresses.empty()) line += " with " + join(attached.addresses);
  if (attached.memlock_raised) line += ", memlock raised for it and what it starts";
  return line + "; 'container-ib detach " + attached.name + "' gives it back";
}

nlohmann::ordered_json attached_json(const AttachedContainer& attached, const std::string& command,
                                     pid_t pid) {
  auto environment = nlohmann::ordered_json::object();
  for (const auto& [name, value] : attached.environment) environment[name] = value;
  return {{"name", attached.name},
          {"pid", pid},
          {"command", command},
          {"mode", mode_name(attached.mode)},
          {"ports", attached.ports},
          {"netdevs", attached.netdevs},
          {"addresses", attached.addresses},
          {"memlock_raised", attached.memlock_raised},
          {"environment", environment},
          {"notes", attached.notes}};
}

void show(const AttachedContainer& attached, const AttachOptions& options, const std::string& command) {
  for (const std::string& line : attached.notes) complain("attach", line);
  if (options.json) return print(dump(attached_json(attached, command, options.pid)) + "\n");
  for (const auto& [name, value] : attached.environment) print(name + "=" + value + "\n");
  complain("attach", summary(attached, command));
}

// The namespace that `process` holds may be the last to keep the container's file systems, and who closes it
// waits for them: by then all is said.
int run(const AttachOptions& options) {
  const auto refuse = [](const Error& why) {
    complain("attach", why.message());
    return why.code == Errc::bad_request ? usage : finding;
  };
  if (const auto status = check_attach_option(options.option); !status) return refuse(status.error());
  if (const auto status = check_privileges(); !status) return refuse(status.error());
  ignore_signals();
  auto process = ContainerProcess::open(options.pid);
  if (!process) return refuse(process.error());
  const auto request = request_of(options, *process);
  if (!request) return refuse(request.error());
  LiveNode node(options.state);
  LiveStoredSteps stored(options.state);
  LiveKernel kernel(options.state);
  StateDir state(options.state);
  auto attached = attach_container(
      *request, {.node = node, .tasks = *process, .state = state, .stored = stored, .kernel = kernel});
  if (!attached) return refuse(attached.error());
  for (std::string& line : process->notes()) attached->notes.push_back(std::move(line));
  show(*attached, options, process->name());
  return fine;
}

}  // namespace

void add_attach(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<AttachOptions>();
  CLI::App* command =
      app.add_subcommand("attach",
                         "Give a container that runs already the node's nearest InfiniBand, and print "
                         "the variables that programs in it need");
  command->add_option("--pid", options->pid, "a process of the container's, as its engine tells it")
      ->required()
      ->type_name("PID")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--option", options->option,
                   "as for --container-ib, e.g. 'ipoib,hca=mlx5_1'; default: auto")
      ->type_name("TEXT");
  NodeOptions::add_config_to(*command, options->config);
  NodeOptions::add_node_to(*command, options->node);
  add_state_option(command, options->state);
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
