#include "adapters/linux/find_process.hpp"

#include <fcntl.h>

#include <string_view>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/namespaces.hpp"
#include "adapters/linux/process.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// The last of "NSpid:\t4711\t17": its number in the innermost namespace that it is in (proc(5)).
std::string innermost_number(const std::string& status) {
  const std::string_view numbers = proc_field(status, "NSpid");
  return std::string(numbers.substr(numbers.rfind('\t') + 1));
}

// Its start time is asked last: when the number still is this process', what was read before is of it too.
bool is_it(pid_t number, const std::string& pid, const std::string& start, const std::string& pid_namespace) {
  const auto status = read_small_file("/proc/" + std::to_string(number) + "/status");
  if (!status || innermost_number(*status) != pid) return false;
  const auto inside = namespace_of_process(number, "pid");
  return inside && std::to_string(*inside) == pid_namespace && is_alive(std::to_string(number), start);
}

}  // namespace

std::string pid_namespace_here() {
  const UniqueFd own(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  const auto inode = namespace_of_descriptor(own.get(), "pid");
  return inode ? std::to_string(*inode) : std::string();
}

std::optional<pid_t> find_process(const std::string& pid, const std::string& start,
                                  const std::string& pid_namespace) {
  if (pid_namespace.empty() || pid_namespace == pid_namespace_here())
    return is_alive(pid, start) ? whole_number<pid_t>(pid) : std::nullopt;
  for (const pid_t number : all_processes())
    if (is_it(number, pid, start, pid_namespace)) return number;
  return std::nullopt;
}

}  // namespace cib
