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

Status check(const std::string& file) {
  const auto site = look_at_site_file(file);
  return site ? Status() : site.error();
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
