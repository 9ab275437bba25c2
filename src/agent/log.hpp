// The administrator's lines: syslog, since the agent has no terminal and no slurmd.log.
#pragma once

#include <string>

#include "adapters/state/state_dir.hpp"

namespace cib {

void log_error(const std::string& line);
void log_info(const std::string& line);
void log_debug(const std::string& line);

// The step's journal, and a debug line for each action that begins, with its number there: who looks into a
// node's trouble sees when each was, which the journal does not tell.
class LoggedState final : public StateDir {
 public:
  using StateDir::StateDir;
  Status append(const Record& record) override;
};

}  // namespace cib
