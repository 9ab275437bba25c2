#include <memory>

#include "adapters/node/site_file.hpp"
#include "command.hpp"
#include "json.hpp"
#include "output.hpp"

namespace cib::cli {

namespace {

struct CheckConfigOptions {
  std::string file = usual_site_file;
  bool json = false;
};

Status check_topology(const Result<SiteConfig>& site, const std::string& file) {
  return site ? check_topology_file(*site, file) : site.error();
}

// What steps take all the same, but was hardly meant, is a finding too: whoever checks a file before handing
// it out wants to know.
int run(const CheckConfigOptions& options) {
  const auto site = look_at_site_file(options.file);
  const Status status = check_topology(site, options.file);
  const std::string problem = status ? "" : status.error().message();
  const std::vector<std::string> warnings = site ? site->warnings : std::vector<std::string>();
  const bool is_fine = status && warnings.empty();
  if (options.json) {
    print(dump({{"file", options.file}, {"fine", is_fine}, {"problem", problem}, {"warnings", warnings}}) +
          "\n");
  } else if (is_fine) {
    print(options.file + ": fine\n");
  } else {
    if (!problem.empty()) complain("check-config", problem);
    for (const std::string& warning : warnings) complain("check-config", warning);
  }
  return is_fine ? fine : finding;
}

}  // namespace

void add_check_config(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CheckConfigOptions>();
  CLI::App* command = app.add_subcommand("check-config", "Check the site's configuration");
  command->add_option("file", options->file, "the file")->capture_default_str();
  command->add_flag("--json", options->json, "for programs");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cib::cli
