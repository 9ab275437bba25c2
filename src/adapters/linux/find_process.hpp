// A process that somebody in another PID namespace wrote down.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace cib {

// The inode number of the PID namespace that the numbers of /proc are of, as identity_of() has them; empty
// when it cannot be read.
std::string pid_namespace_here();

// By its number here, the process that has, or had, number `pid` in the PID namespace with that inode number
// (empty: this one) and that start time (field 22 of /proc/PID/stat, the same in every PID namespace).
// Nothing when it has ended (a zombie has), or when it is in no namespace below ours.
std::optional<pid_t> find_process(const std::string& pid, const std::string& start,
                                  const std::string& pid_namespace);

}  // namespace cib
