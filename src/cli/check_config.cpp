#include <memory>

#include "command.hpp"
#include "container_ib/config.hpp"
#include "json_text.hpp"
#include "node_options.hpp"
#include "output.hpp"
#include "read_file.hpp"

namespace cib::cli {

namespace {

struct CheckConfigOptions {
  std::string file = usual_config;
  bool json = false;
};

Status check(const std::string& file) {
  CIB_TRY(const std::string text, read_file(file));
  CIB_TRY([[maybe_unused]] const SiteConfig site, parse_config(text, file));
  return {};
}

int run(const CheckConfigOptions& options) {
  const Status status = check(options.file);
  const std::string problem = status ? "" : status.error().message();
  if (options.json)
    print(dump({{"file", options.file}, {"fine", status.ok()}, {"problem", problem}}) + "\n");
  else if (status)
    print(options.file + ": fine\n");
  else
    complain("check-config", problem);
  return status ? fine : finding;
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
