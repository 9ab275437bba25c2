#include <cerrno>
#include <cstdio>
#include <memory>

#include "command.hpp"
#include "json.hpp"
#include "output.hpp"
#include "plan_json.hpp"
#include "plan_model.hpp"
#include "plan_svg.hpp"
#include "plan_text.hpp"
#include "tasks.hpp"

namespace cib::cli {

namespace {

constexpr unsigned max_tasks = 65536;

struct PlanOptions {
  NodeOptions node;
  std::string masks;
  unsigned tasks = 0;
  std::string distribution = "block";
  std::string gpus, svg;
  bool compare = false, json = false;
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

PlanModel model_of(const Plan& plan, bool compare) {
  const Inventory& node = plan.question.inventory;
  return compare ? make_compared_model(node, plan.tasks, plan.question.placement, plan.assignment)
                 : make_model(node, plan.tasks, plan.assignment);
}

void print_text(const PlanModel& model) {
  print(plan_text(model, terminal_width()));
  if (!model.rules.empty()) print("\n" + comparison_text(model));
}

void print_json(const Plan& plan, const PlanModel& model) {
  auto json = plan_json(plan);
  if (!model.rules.empty()) json["comparison"] = comparison_json(model);
  print(dump(json) + "\n");
}

Status write_file(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return error(Errc::bad_request, "--svg: cannot write " + path, errno);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) == 0 && written) return {};
  return error(Errc::kernel, "--svg: cannot write all of " + path, errno);
}

int run(const PlanOptions& options) {
  const auto plan = make_plan(options);
  if (!plan) {
    complain("plan", plan.error().message());
    return usage;
  }
  if (const auto status = check_mode(plan->question.settings.mode); !status)
    complain("plan", "note: " + status.error().message());
  for (const std::string& line : plan->question.forced) complain("plan", "note: " + line);
  for (const std::string& line : plan->assignment.notes) complain("plan", "note: " + line);
  const PlanModel model = model_of(*plan, options.compare);
  options.json ? print_json(*plan, model) : print_text(model);
  if (!options.svg.empty()) {
    if (const auto status = write_file(options.svg, plan_svg(model)); !status) {
      complain("plan", status.error().message());
      return usage;
    }
  }
  if (!model.ports.empty()) return fine;
  complain("plan", "no eligible port");
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
  command->add_option("--svg", options->svg, "draw it into this file too")->type_name("FILE");
  command->add_flag("--compare", options->compare, "show what simpler rules would have done");
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
