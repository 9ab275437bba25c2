// The step's journal, and a line in syslog for each action that begins, with its number there: who looks into
// a node's trouble sees when each was, which the journal does not tell.
#pragma once

#include "adapters/state/state_dir.hpp"

namespace cib {

class LoggedState final : public StateDir {
 public:
  using StateDir::StateDir;
  Status append(const Record& record) override;
};

}  // namespace cib
