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
  const char* fsroot = std::getenv("HWLOC_FSROOT");
  return fsroot != nullptr ? fsroot : "";
}

InventorySource source_of(const NodeOptions& options) {
  InventorySource source;
  source.path = options.topology;
  if (!options.sysfs.empty()) source.sysfs = options.sysfs;
  if (!options.topology.empty()) {
    source.kind = is_directory(options.topology) ? InventorySource::Kind::fsroot : InventorySource::Kind::xml;
    return source;
  }
  // A saved tree, be it hwloc's or given as --sysfs, describes the whole node.
  if (!saved_tree().empty()) {
    source.kind = InventorySource::Kind::fsroot;
    source.path = saved_tree();
  } else if (!options.sysfs.empty() && is_directory(options.sysfs + "/sys")) {
    source.kind = InventorySource::Kind::fsroot;
    source.path = options.sysfs;
  }
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
  command.add_option("--topology", topology, "hwloc XML, or the root of a saved tree; default: this machine")
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
  InventorySource source = options.live() ? inventory_source(question.site) : source_of(options);
  source.tables = options.tables || question.settings.pkey;
  CIB_TRY(question.inventory, load_inventory(source));
  const std::string node = node_name(options);
  question.placement = placement_options(question.settings, question.site, node);
  CIB_TRY(question.placement.site_fabric, fabric_of_step(question.settings.fabric, question.site, {node}));
  question.rules = rules_for_node(question.site.environment, node);
  return question;
}

}  // namespace cib::cli
