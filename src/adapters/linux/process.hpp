// Processes by identity: pid and start time, never the pid alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/journal.hpp"
#include "container_ib/result.hpp"

namespace cib {

Result<UniqueFd> open_pidfd(pid_t pid);

// The process of a pidfd; ended when it has been waited for and its number may be another's, corrupt
// when the descriptor is no pidfd (field Pid of /proc/self/fdinfo, proc(5)).
Result<pid_t> pid_of(int pidfd);

// Whether the number is this process' still: what was read of /proc/PID before is its own then. A pidfd does
// not keep the number from being used again once the process has been waited for.
bool holds_number(int pidfd, pid_t pid);

// Sends SIGKILL; false when it has ended.
bool kill_process(int pidfd);

// The number of every process here, ascending; none when /proc cannot be read.
std::vector<pid_t> all_processes();

// "pid 17 (sleep)", fit for a terminal: of a pidfd's process, or of whoever has the number now.
std::string process_text(int pidfd);
std::string numbered_process_text(pid_t pid);

// What stands behind "FIELD:\t" at the beginning of a line, as in /proc/PID/status and /proc/PID/fdinfo
// (proc(5)); empty when no line begins so.
std::string_view proc_field(std::string_view text, std::string_view field);

// True when the process behind the pidfd has ended (it may still be a zombie).
bool has_ended(int pidfd);

// Who started it, or who has it since; empty when it is gone.
std::optional<pid_t> parent_process(pid_t pid);
bool is_kernel_thread(pid_t pid);

// Field 22 of /proc/PID/stat, clock ticks after boot.
Result<std::uint64_t> start_time(pid_t pid);

// The name in parentheses of /proc/PID/stat.
std::string process_name(pid_t pid);

// Random UUID of this boot.
Result<std::string> boot_id();

// As the journal keeps it; without a start time when the process has ended.
ProcessIdentity identity_of(pid_t pid);

// Whether the process that identity_of() described is still there (a zombie counts as gone).
bool is_alive(const std::string& pid, const std::string& start);

}  // namespace cib
