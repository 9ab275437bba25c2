// The administrator's lines: syslog, since the agent has no terminal and no slurmd.log.
#pragma once

#include <string>

namespace cib {

void log_error(const std::string& line);
void log_info(const std::string& line);
void log_debug(const std::string& line);

}  // namespace cib
