// Signals from tests. They run as root, and kill(2) takes every number that is no process for more than one:
// 0 and -N for a group, -1 for each process of the machine.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>

namespace cib::test {

// The line of /proc/PID/stat; empty when there is no such process.
inline std::string stat_of(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  return text;
}

// Field 4 of it; -1 when there is no such process.
inline pid_t parent_of(pid_t pid) {
  const std::string text = stat_of(pid);
  const auto end = text.rfind(") ");
  return end == std::string::npos ? -1 : static_cast<pid_t>(std::strtol(text.c_str() + end + 4, nullptr, 10));
}

// Field 2 of it; empty when there is no such process.
inline std::string name_of(pid_t pid) {
  const std::string text = stat_of(pid);
  const auto begin = text.find('('), end = text.rfind(')');
  return begin == std::string::npos || end < begin ? "" : text.substr(begin + 1, end - begin - 1);
}

inline bool is_own_child(pid_t pid) { return parent_of(pid) == ::getpid(); }

// Sends `signal` to the process of that number if `is_it` recognises it, and waits up to `wait_ms` for its
// end; says whether it was sent. The pidfd is opened before the look, so it is of the process that was looked
// at or of one that has ended (ESRCH then).
inline bool signal_process(pid_t pid, int signal, const std::function<bool(pid_t)>& is_it = is_own_child,
                           int wait_ms = 0) {
  if (pid <= 1) return false;
  const auto pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U));
  if (pidfd < 0) return false;
  const bool sent = is_it(pid) && ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U) == 0;
  pollfd end{.fd = pidfd, .events = POLLIN, .revents = 0};
  if (sent) (void)::poll(&end, 1, wait_ms);
  ::close(pidfd);
  return sent;
}

}  // namespace cib::test
