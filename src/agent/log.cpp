#include "agent/log.hpp"

#include <syslog.h>

namespace cib {

void log_error(const std::string& line) { ::syslog(LOG_DAEMON | LOG_ERR, "container-ib: %s", line.c_str()); }
void log_info(const std::string& line) { ::syslog(LOG_DAEMON | LOG_INFO, "container-ib: %s", line.c_str()); }
void log_debug(const std::string& line) {
  ::syslog(LOG_DAEMON | LOG_DEBUG, "container-ib: %s", line.c_str());
}

}  // namespace cib
