#include "node_options.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "adapters/node/site_file.hpp"
#include "container_ib/site_fabric.hpp"

namespace cib::cli {

namespace {

constexpr const char* saved_tree_variable = "HWLOC_FSROOT";

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

// hwloc's own variable for a saved tree.
std::string saved_tree() {
  const char* fsroot = std::getenv(saved_tree_variable);
  return fsroot != nullptr ? fsroot : "";
}

Result<InventorySource> source_of(const NodeOptions& options) {
  using Kind = InventorySource::Kind;
  InventorySource source;
  if (!options.sysfs.empty()) source.sysfs = options.sysfs;
  std::string given;  // what a saved tree is the value of
  if (!options.topology.empty()) {
    source.path = options.topology;
    source.kind = is_directory(options.topology) ? Kind::fsroot : Kind::xml;
    given = "--topology";
  } else if (!saved_tree().empty()) {
    source.path = saved_tree();
    source.kind = Kind::fsroot;
    given = saved_tree_variable;
  } else if (!is_this_machines(options.sysfs)) {
    // It says nothing of CPUs, and those here are another machine's.
    source.path = options.sysfs;
    source.kind = Kind::fsroot;
    given = "--sysfs without --topology";
  }
  if (source.kind != Kind::fsroot) return source;
  if (auto status = check_saved_tree(source.path); !status) return std::move(status).error().in(given);
  return source;
}

// Without a site's configuration nothing is forbidden: a described node is asked about, not used.
SiteConfig permissive(const Request& request) {
  SiteConfig site;
  site.modes = all_modes();
  site.allow_umad = true;
  if (request.pkey) site.pkeys = {*request.pkey};
  return site;
}

Result<SiteConfig> site_of(const NodeOptions& options, const Request& request) {
  std::string file = options.config;
  if (file.empty() && options.live() && exists(usual_site_file)) file = usual_site_file;
  return file.empty() ? permissive(request) : look_at_site_file(file);
}

std::string node_name(const NodeOptions& options) {
  return !options.node.empty() || !options.live() ? options.node : node_name_here();
}

}  // namespace

std::string node_name_here() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  const std::string full(name.data());
  return full.substr(0, full.find('.'));
}

bool NodeOptions::live() const { return topology.empty() && sysfs.empty() && saved_tree().empty(); }

void NodeOptions::add_to(CLI::App& command) {
  command
      .add_option("--topology", topology,
                  "hwloc's or NCCL's XML, or the root of a saved tree; default: this machine")
      ->type_name("FILE|DIR");
  command.add_option("--sysfs", sysfs, "read states, rates, LIDs below this directory")->type_name("DIR");
  command
      .add_option("--config", config,
                  fmt::format("the site's configuration; default: {} when live, else none", usual_site_file))
      ->type_name("FILE");
  add_node_to(command, node);
  command.add_option("--option", option, "what the user would give to --container-ib, e.g. 'verbs,rails=2'")
      ->type_name("TEXT");
}

void NodeOptions::add_config_to(CLI::App& command, std::string& config) {
  command
      .add_option("--config", config,
                  fmt::format("the site's configuration; default: {}, if there is one", usual_site_file))
      ->type_name("FILE");
}

void NodeOptions::add_node_to(CLI::App& command, std::string& node) {
  command.add_option("--node", node, "Slurm's name of the node, for the site's file; default: the host's")
      ->type_name("NAME");
}

Result<NodeQuestion> ask(const NodeOptions& options) {
  CIB_TRY(const Request request, parse_request(options.option));
  NodeQuestion question;
  CIB_TRY(question.site, site_of(options, request));
  CIB_TRY(question.settings, resolve(request, question.site));
  question.forced = forced_over(request, question.site);
  InventorySource source = inventory_source(question.site);
  if (!options.live()) {
    CIB_TRY(source, source_of(options));
  }
  source.tables = options.tables || question.settings.pkey;
  CIB_TRY(question.inventory, load_inventory(source));
  question.node = node_name(options);
  question.placement = placement_options(question.settings, question.site, question.node);
  CIB_TRY(question.placement.site_fabric,
          fabric_of_step(question.settings.fabric, question.site, {question.node}));
  question.rules = rules_for_node(question.site.environment, question.node);
  return question;
}

}  // namespace cib::cli
