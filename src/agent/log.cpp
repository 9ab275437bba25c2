#include "agent/log.hpp"

#include <syslog.h>

#include "container_ib/text.hpp"

namespace cib {

namespace {

// Not every syslog daemon keeps control characters from the terminal of who reads its files.
void log(int priority, const std::string& line) {
  ::syslog(LOG_DAEMON | priority, "container-ib: %s", printable(line, std::string::npos).c_str());
}

}  // namespace

void log_error(const std::string& line) { log(LOG_ERR, line); }
void log_info(const std::string& line) { log(LOG_INFO, line); }
void log_debug(const std::string& line) { log(LOG_DEBUG, line); }

Status LoggedState::append(const Record& record) {
  CIB_CHECK(StateDir::append(record));
  if (record.mark == Mark::done) return {};  // when it was done, the next one says well enough
  const std::string folder = directory();
  log_debug("record of step " + folder.substr(folder.rfind('/') + 1) + ": " + record_text(record));
  return {};
}

}  // namespace cib
