// Commands whose names are settled and that this version does not have: scripts get a clear answer and exit
// status 2.

#include <memory>

#include "command.hpp"
#include "output.hpp"

namespace cib::cli {

void add_later(CLI::App& app, int& exit_code) {
  for (const char* name : {"attach"}) {
    CLI::App* command = app.add_subcommand(name, "Not in this version");
    command->allow_extras();
    command->callback([name, &exit_code] {
      complain(name, "not in this version");
      exit_code = usage;
    });
  }
}

}  // namespace cib::cli
