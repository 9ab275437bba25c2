#include "agent/logged_state.hpp"

#include "agent/log.hpp"

namespace cib {

Status LoggedState::append(const Record& record) {
  CIB_CHECK(StateDir::append(record));
  if (record.mark == Mark::done) return {};  // when it was done, the next one says well enough
  const std::string folder = directory();
  log_debug("record of step " + folder.substr(folder.rfind('/') + 1) + ": " + record_text(record));
  return {};
}

}  // namespace cib
