#pragma once

#include <string>

#include "app/reap.hpp"

namespace cib {

// To syslog: how agents died, and what could not be given back.
void log_troubles(const Reaped& reaped);

// Exit status: 0 fine, 1 something could not be given back (told in syslog; with `ended_stepd` on descriptor
// 3 too, a line each).
int reap_command(const std::string& state_dir, const std::string& job, const std::string& ended_stepd);

// What the step's journal tells of its agent's death, a line on descriptor 3. Exit status 1: there is none,
// or its agent lives.
int tell_death_command(const std::string& state_dir, const std::string& step);

}  // namespace cib
