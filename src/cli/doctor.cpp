#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "adapters/capabilities/capabilities.hpp"
#include "adapters/linux/selinux.hpp"
#include "adapters/netlink/links.hpp"
#include "adapters/node/live_node.hpp"
#include "adapters/node/site_file.hpp"
#include "adapters/state/claims.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "app/explain.hpp"
#include "app/leftovers.hpp"
#include "command.hpp"
#include "container_ib/text.hpp"
#include "doctor_image.hpp"
#include "json.hpp"
#include "mode_answers.hpp"
#include "output.hpp"
#include "ports_view.hpp"
#include "state_options.hpp"

namespace cib::cli {

namespace {

struct DoctorOptions {
  std::string state, config, node;
  std::optional<std::string> image;  // the root of one that it is about instead; empty: this process' own
  std::string sysfs;                 // of whose HCAs the image is for
  bool json = false, nhc = false;
};

using Line = ImageLine;
using Kind = Line::Kind;
using Lines = std::vector<Line>;

std::string_view kind_name(Kind kind) {
  return kind == Kind::fine ? "ok" : kind == Kind::note ? "note" : "bad";
}

// As the agent reads it; empty when it would refuse every step.
std::optional<SiteConfig> look_at_site(const std::string& named, Lines& lines) {
  const auto file = read_site_file(named);
  if (!file) {
    lines.push_back({Kind::finding, file.error().message()});
    return std::nullopt;
  }
  lines.push_back(file->found ? Line{Kind::fine, "site's file " + file->path}
                              : Line{Kind::note, file->path + ": there is none, so the defaults hold"});
  for (const std::string& warning : file->site.warnings) lines.push_back({Kind::note, warning});
  if (const auto status = check_topology_file(file->site, file->path); !status)
    lines.push_back({Kind::finding, status.error().message()});
  return file->site;
}

void look_at_modes(const SiteConfig& site, const NodeFacts& facts, const Assignment& assignment,
                   Lines& lines) {
  const bool has_port = !eligible_ports(facts.inventory, assignment).empty();
  if (!has_port) lines.push_back({Kind::note, explain_no_port("this node", facts.inventory, assignment)});
  for (const auto& [mode, why_not, caveat] : mode_answers(facts, has_port)) {
    const std::string_view name = mode_name(mode);
    const std::string here = why_not.empty() ? "" : ": " + why_not;
    if (is_allowed(mode, site))
      lines.push_back({why_not.empty() ? Kind::fine : Kind::finding, fmt::format("mode {}{}", name, here)});
    else if (check_mode(mode))
      lines.push_back({Kind::note, fmt::format("mode {}: not in modes.allow of the site's file{}", name,
                                               why_not.empty() ? "; this node can do it" : here)});
  }
}

void look_at_node(const SiteConfig& site, const DoctorOptions& options, Lines& lines) {
  NodeOptions node;
  node.config = options.config;
  node.node = options.node;
  const auto question = ask(node);
  if (!question) return lines.push_back({Kind::finding, question.error().message()});
  const NodeFacts facts = facts_of(*question, true);
  const Assignment assignment = place(question->inventory, {}, question->placement);
  look_at_modes(site, facts, assignment, lines);
  for (const std::string& note : assignment.notes) lines.push_back({Kind::finding, note});
  const auto& exclusive = *facts.rdma_is_exclusive;
  lines.push_back({Kind::note, "RDMA subsystem: " + (!exclusive   ? exclusive.error().message()
                                                     : *exclusive ? "exclusive mode"
                                                                  : "shared mode")});
  if (std::string selinux = about_selinux(selinux_enforces()); !selinux.empty())
    lines.push_back({Kind::note, std::move(selinux)});
  LiveNode live(options.state);
  for (const Mode mode : all_modes())
    if (const ModeUnit* unit = unit_of(mode))
      for (std::string& line : unit->notes(facts, live)) lines.push_back({Kind::note, std::move(line)});
}

// As for the agent, which is root with what this process has at most.
std::string memlock_text(const SiteConfig& site) {
  if (!site.raise_memlock) return "left as it is (memlock.raise)";
  if (!root_may_raise_limits()) return "cannot be raised: root has no CAP_SYS_RESOURCE here";
  if (!site.memlock_bytes) return "raised to unlimited";
  return fmt::format("raised to {} bytes (memlock.cap)", *site.memlock_bytes);
}

Result<Marked> marked(const std::string& state) {
  Marked found;
  Claims claims(state);
  CIB_TRY(found.claims, claims.all());
  CIB_TRY(auto links, Links::open());
  CIB_TRY(const auto all, links.list());
  for (const Link& link : all)
    if (is_made_for_a_step(link.name, link.alias)) found.links[link.name] = link.alias;
  return found;
}

Result<Lines> examine(const DoctorOptions& options) {
  LiveStoredSteps stored(options.state);
  Lines lines;
  const auto left = leftovers(stored, [&] { return marked(options.state); });
  if (!left && left.error().code != Errc::bad_config) return left.error();
  const auto site = look_at_site(options.config, lines);
  if (site) {
    look_at_node(*site, options, lines);
    lines.push_back({Kind::note, "limit of locked memory: " + memlock_text(*site)});
  }
  if (!left) {
    lines.push_back({Kind::finding, left.error().message()});
    return lines;
  }
  lines.push_back({Kind::fine, "state directory " + options.state});
  for (const std::string& what : *left) lines.push_back({Kind::finding, what});
  return lines;
}

// One line, as node health checks want it (a check of LBNL's NHC or Slurm's HealthCheckProgram): the
// findings, or that there are none.
std::string line_for_nhc(const Lines& lines) {
  std::vector<std::string> findings;
  for (const auto& [kind, text] : lines)
    if (kind == Kind::finding) findings.push_back(printable(text, std::string::npos));
  return findings.empty() ? "container-ib: no findings" : "container-ib: " + join(findings, "; ");
}

int run(const DoctorOptions& options) {
  const auto lines = options.image ? examine_image(*options.image, options.sysfs) : examine(options);
  if (!lines) return cannot_look("doctor", lines.error());
  const auto findings = std::count_if(lines->begin(), lines->end(),
                                      [](const Line& line) { return line.kind == Kind::finding; });
  if (options.json) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& [kind, text] : *lines) list.push_back({{"kind", kind_name(kind)}, {"text", text}});
    print(dump({{"lines", list}, {"findings", findings}}) + "\n");
  } else if (options.nhc) {
    print(line_for_nhc(*lines) + '\n');
  } else {
    for (const auto& [kind, text] : *lines)
      print(fmt::format("{:<5} {}\n", kind_name(kind), printable(text, std::string::npos)));
  }
  return findings == 0 ? fine : finding;
}

void add_image_options(CLI::App& command, DoctorOptions& options) {
  CLI::Option* image = command
                           .add_option_function<std::string>(
                               "--image", [&options](const std::string& root) { options.image = root; },
                               "look at a container image instead: the folder that it is unpacked in, "
                               "/proc/PID/root of a container that runs, or, without one, what this runs in")
                           ->expected(0, 1)
                           ->type_name("ROOT");
  for (const char* of_the_node : {"--config", "--node", "--state"})
    image->excludes(command.get_option(of_the_node));
  command
      .add_option(
          "--sysfs", options.sysfs,
          "it is for the HCAs that this directory shows; default: this machine's, or those of the task")
      ->type_name("DIR")
      ->needs(image);
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* command = app.add_subcommand(
      "doctor",
      "Tell what keeps this node from the modes that its site allows, and what was left on it; or what a "
      "container image lacks");
  NodeOptions::add_config_to(*command, options->config);
  NodeOptions::add_node_to(*command, options->node);
  add_state_option(command, options->state);
  add_image_options(*command, *options);
  CLI::Option* json = command->add_flag("--json", options->json, "for programs");
  command
      ->add_flag("--nhc", options->nhc,
                 "for node health checks: one line, which is the findings or says that there are none")
      ->excludes(json);
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
