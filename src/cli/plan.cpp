#include <fmt/core.h>

#include <memory>

#include "command.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/text.hpp"
#include "node_options.hpp"
#include "ports_view.hpp"
#include "table.hpp"
#include "tasks.hpp"

namespace cib::cli {

namespace {

constexpr unsigned max_tasks = 65536;

struct PlanOptions {
  NodeOptions node;
  std::string masks;
  unsigned tasks = 0;
  std::string distribution = "block";
  std::string gpus;
  bool json = false;
};

struct Plan {
  NodeQuestion question;
  std::vector<LocalTask> tasks;
  Assignment assignment;

  bool has_port() const { return !eligible_ports(question.inventory, assignment).empty(); }
};

Result<Plan> make_plan(const PlanOptions& options) {
  Plan plan;
  CIB_TRY(plan.question, ask(options.node));
  auto tasks = options.masks.empty()
                   ? tasks_from_distribution(plan.question.inventory, options.tasks, options.distribution)
                   : tasks_from_masks(options.masks);
  CIB_TRY(plan.tasks, std::move(tasks));
  CIB_CHECK(add_gpus(options.gpus, plan.tasks));
  plan.assignment = place(plan.question.inventory, plan.tasks, plan.question.placement);
  return plan;
}

std::vector<std::string> port_names(const Plan& plan, const TaskPlacement& task) {
  std::vector<std::string> names;
  for (const std::size_t port : task.ports) names.push_back(plan.question.inventory.ports[port].name());
  return names;
}

EnvironmentPlan environment_of(const Plan& plan, const TaskPlacement& task,
                               const std::vector<std::string>& node_ports) {
  const Settings& settings = plan.question.settings;
  EnvironmentInputs in;
  in.mode = settings.mode;
  in.require = settings.require;
  in.profiles = settings.env;
  in.pkey = settings.pkey;
  in.report = settings.report;
  in.task_ports = port_names(plan, task);
  in.node_ports = node_ports;
  for (const Port& port : plan.question.inventory.ports) in.node_devices.push_back(port.device);
  in.plan = plan.assignment.plan;
  if (!task.ports.empty()) in.numa = numa_text(plan.question.inventory.ports[task.ports.front()]);
  return build_environment(in);
}

nlohmann::ordered_json task_json(const Plan& plan, const TaskPlacement& task, const CpuSet& mask,
                                 const std::vector<std::string>& node_ports) {
  if (task.ports.empty()) return {{"task", task.task}, {"ports", nlohmann::ordered_json::array()}};
  auto variables = nlohmann::ordered_json::object();
  for (const auto& change : environment_of(plan, task, node_ports).set) variables[change.name] = change.value;
  return {{"task", task.task},         {"mask", mask.hex()},     {"ports", port_names(plan, task)},
          {"distance", task.distance}, {"class", task.locality}, {"env", variables}};
}

void print_json(const Plan& plan) {
  const auto node_ports = eligible_ports(plan.question.inventory, plan.assignment);
  auto tasks = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < plan.tasks.size(); ++i)
    tasks.push_back(task_json(plan, plan.assignment.tasks[i], plan.tasks[i].mask, node_ports));
  fmt::print("{}\n", dump({{"ports", ports_json(plan.question.inventory, plan.assignment)},
                           {"tasks", tasks},
                           {"plan", plan.assignment.plan}}));
}

void print_text(const Plan& plan) {
  fmt::print("{}\n", format_table(ports_table(plan.question.inventory, plan.assignment)));
  std::vector<Row> rows = {{"TASK", "CPUS", "PORTS", "DISTANCE", "CLASS"}};
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const TaskPlacement& task = plan.assignment.tasks[i];
    const bool placed = !task.ports.empty();
    rows.push_back(
        {std::to_string(task.task), printable(plan.tasks[i].mask.hex(), 36),
         placed ? join(port_names(plan, task), ",") : "none",
         placed && task.locality != "unknown locality" ? fmt::format("{:.2f}", task.distance / 1000.0) : "",
         task.locality});
  }
  fmt::print("{}\nplan {}\n", format_table(rows), plan.assignment.plan);
}

int run(const PlanOptions& options) {
  const auto plan = make_plan(options);
  if (!plan) {
    fmt::print(stderr, "container-ib plan: {}\n", plan.error().message());
    return usage;
  }
  if (const auto status = check_mode(plan->question.settings.mode); !status)
    fmt::print(stderr, "container-ib plan: note: {}\n", status.error().message());
  if (options.json)
    print_json(*plan);
  else
    print_text(*plan);
  if (plan->has_port()) return fine;
  fmt::print(stderr, "container-ib plan: no eligible port\n");
  return finding;
}

}  // namespace

void add_plan(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* command = app.add_subcommand("plan", "Show which port serves which task, and why");
  options->node.add_to(*command);
  auto* how = command->add_option_group("tasks", "One of these says where the tasks are");
  how->add_option("--masks", options->masks, "CPUs of each task, one hexadecimal word per task: 0x0f,0xf0");
  how->add_option("--tasks", options->tasks, "number of tasks")->check(CLI::Range(1U, max_tasks));
  how->require_option(1);
  command->add_option("--distribution", options->distribution, "of --tasks: block, cyclic or pack")
      ->check(CLI::IsMember({"block", "cyclic", "pack"}))
      ->capture_default_str();
  command->add_option("--gpus", options->gpus, "GPUs of the tasks: 0:0000:07:00.0,1:0000:0b:00.0")
      ->type_name("TASK:BUSID,...");
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
