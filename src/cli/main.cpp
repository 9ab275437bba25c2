#include <array>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string_view>
#include <vector>

#include "adapters/capabilities/capabilities.hpp"
#include "command.hpp"
#include "output.hpp"

namespace {

constexpr std::array commands = {
    cib::cli::add_plan,   cib::cli::add_topo,  cib::cli::add_check_config, cib::cli::add_doctor,
    cib::cli::add_list,   cib::cli::add_check, cib::cli::add_reap,         cib::cli::add_attach,
    cib::cli::add_detach, cib::cli::add_cdi,   cib::cli::add_oci,
};

// It becomes another program, with the user's rights, which may have to gain what a setuid helper gives.
bool becomes_a_runtime(int argc, char** argv) { return argc > 1 && std::string_view(argv[1]) == "oci"; }

// It makes a container's /dev/infiniband with the rights of who owns that container's /dev.
cib::Privileges privileges_of(int argc, char** argv) {
  return argc > 1 && std::string_view(argv[1]) == "attach" ? cib::Privileges::of_agent
                                                           : cib::Privileges::of_command;
}

// CLI11 takes no "--" between the words of `oci` and those that it passes on.
std::vector<char*> words_of(int argc, char** argv) {
  constexpr std::size_t behind_the_bundle = 3;
  std::vector<char*> words(argv, argv + argc);
  if (becomes_a_runtime(argc, argv) && words.size() > behind_the_bundle &&
      std::string_view(words[behind_the_bundle]) == "--")
    words.erase(words.begin() + behind_the_bundle);
  return words;
}

int run(const std::vector<char*>& words) {
  CLI::App app("Native InfiniBand for containerized MPI jobs under Slurm.", "container-ib");
  app.footer("Exit code: 0 fine, 1 a finding, 2 wrong usage. Each command has its own --help.");
  app.set_version_flag("--version", CIB_VERSION);
  app.require_subcommand(1);
  int exit_code = cib::cli::fine;
  for (const auto add : commands) add(app, exit_code);
  try {
    app.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const int code = app.exit(error, out, err);
    cib::cli::print(out.str());
    cib::cli::print(err.str(), stderr);
    return code == 0 ? cib::cli::fine : cib::cli::usage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    // It is root's, and looks at what users have made.
    if (!becomes_a_runtime(argc, argv)) {
      if (const auto status = cib::keep_needed_capabilities(privileges_of(argc, argv)); !status) {
        cib::cli::complain("", status.error().message());
        return cib::cli::usage;
      }
    }
    return run(words_of(argc, argv));
  } catch (const std::exception& failure) {
    cib::cli::complain("", failure.what());
    return cib::cli::usage;
  }
}
