// What the commands that look at attachments share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "adapters/state/state_dir.hpp"
#include "command.hpp"
#include "output.hpp"

namespace cib::cli {

inline void add_state_option(CLI::App* command, std::string& state) {
  state = default_state_dir;
  command->add_option("--state", state, "the state directory, as in plugstack.conf")->capture_default_str();
}

// Tells why a command has no answer. Its exit code.
inline int cannot_look(const char* command, const Error& why) {
  complain(command, why.message() + (why.code == Errc::denied ? "; only root can see attachments" : ""));
  return usage;
}

}  // namespace cib::cli
