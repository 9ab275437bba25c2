#include "adapters/linux/process.hpp"

#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/deadline.hpp"
#include "adapters/linux/names_in.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// The part of /proc/PID/stat after the name, which may itself hold blanks and parentheses.
Result<std::string> stat_fields(pid_t pid) {
  CIB_TRY(const std::string stat, read_small_file("/proc/" + std::to_string(pid) + "/stat"));
  const auto end = stat.rfind(')');
  if (end == std::string::npos || end + 2 > stat.size())
    return error(Errc::kernel, "/proc stat without a name");
  return stat.substr(end + 2);
}

std::string word(const std::string& text, int n) {
  std::size_t at = 0;
  for (; n > 0 && at != std::string::npos; --n) at = text.find(' ', at == 0 ? 0 : at + 1);
  if (at == std::string::npos) return {};
  const auto begin = at == 0 ? 0 : at + 1;
  return text.substr(begin, text.find(' ', begin) - begin);
}

template <class T>
bool parse(const std::string& text, T& value) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  return ec == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<UniqueFd> open_pidfd(pid_t pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  if (!fd) return error(Errc::kernel, "pidfd_open " + std::to_string(pid), errno);
  return fd;
}

Result<pid_t> pid_of(int pidfd) {
  CIB_TRY(const std::string info, read_small_file("/proc/self/fdinfo/" + std::to_string(pidfd)));
  const std::string_view number = proc_field(info, "Pid");
  if (number.empty()) return error(Errc::corrupt, "a descriptor that is no pidfd");
  pid_t pid = 0;
  if (!parse(std::string(number), pid)) return error(Errc::kernel, "fdinfo of a pidfd without a number");
  if (pid <= 0) return error(Errc::ended, "the process has ended");
  return pid;
}

bool holds_number(int pidfd, pid_t pid) {
  const auto holder = pid_of(pidfd);
  return holder && *holder == pid;
}

bool kill_process(int pidfd) {
  return !has_ended(pidfd) && ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0U) == 0;
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  for (const std::string& name : names_in("/proc").value_or({}))
    if (const auto pid = whole_number<pid_t>(name)) pids.push_back(*pid);
  std::sort(pids.begin(), pids.end());
  return pids;
}

std::string process_text(int pidfd) {
  const auto pid = pid_of(pidfd);
  if (!pid) return "a process";
  return numbered_process_text(*pid);
}

std::string numbered_process_text(pid_t pid) {
  return "pid " + std::to_string(pid) + " (" + printable(process_name(pid)) + ")";
}

std::string_view proc_field(std::string_view text, std::string_view field) {
  for (const std::string_view line : split(text, '\n'))
    if (line.starts_with(field) && line.substr(field.size()).starts_with(":\t"))
      return line.substr(field.size() + 2);
  return {};
}

bool has_ended(int pidfd) { return readable_within(pidfd, 0); }

std::optional<pid_t> parent_process(pid_t pid) {
  const auto fields = stat_fields(pid);
  pid_t parent = 0;
  if (!fields || !parse(word(*fields, 1), parent)) return std::nullopt;
  return parent;
}

bool is_kernel_thread(pid_t pid) {
  constexpr unsigned long is_one = 0x00200000;  // PF_KTHREAD of include/linux/sched.h
  const auto fields = stat_fields(pid);
  unsigned long flags = 0;
  return fields && parse(word(*fields, 6), flags) && (flags & is_one) != 0;
}

Result<std::uint64_t> start_time(pid_t pid) {
  CIB_TRY(const std::string fields, stat_fields(pid));
  std::uint64_t ticks = 0;
  if (!parse(word(fields, 19), ticks)) return error(Errc::kernel, "/proc stat without a start time");
  return ticks;
}

std::string process_name(pid_t pid) {
  auto name = read_small_file("/proc/" + std::to_string(pid) + "/comm");
  if (!name) return "?";
  while (!name->empty() && name->back() == '\n') name->pop_back();
  return *name;
}

Result<std::string> boot_id() { return read_first_line("/proc/sys/kernel/random/boot_id"); }

ProcessIdentity identity_of(pid_t pid) {
  const auto start = start_time(pid);
  return {std::to_string(pid), start ? std::to_string(*start) : ""};
}

bool is_alive(const std::string& pid, const std::string& start) {
  pid_t number = 0;
  if (!parse(pid, number) || number <= 0) return false;
  const auto fields = stat_fields(number);
  return fields && word(*fields, 0) != "Z" && word(*fields, 19) == start;
}

}  // namespace cib
