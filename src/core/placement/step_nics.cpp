#include "step_nics.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "container_ib/text.hpp"

namespace cib {

namespace {

std::optional<unsigned> number_in(std::string_view nic) {
  constexpr std::string_view prefix = "mlx4_";
  return whole_number<unsigned>(nic.starts_with(prefix) ? nic.substr(prefix.size()) : nic);
}

bool is_numbered(const Port& port, unsigned number) {
  return port.device.ends_with('_' + std::to_string(number));
}

}  // namespace

std::vector<std::string> ports_of_nics(const std::vector<Port>& ports, const std::vector<std::string>& nics) {
  std::vector<std::string> names;
  const auto add_if = [&](auto test) {
    bool any = false;
    for (const Port& port : ports) {
      if (!test(port)) continue;
      any = true;
      names.push_back(port.name());
    }
    return any;
  };
  for (const std::string& nic : nics) {
    if (add_if([&](const Port& port) { return nic == port.device || nic == port.name(); })) continue;
    const auto number = number_in(nic);
    if (!number || add_if([&](const Port& port) { return is_numbered(port, *number); })) continue;
    add_if([&](const Port& port) { return port.uverbs == *number; });
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<LocalTask> with_nics_as_ports(std::vector<LocalTask> tasks, const std::vector<Port>& ports,
                                          std::vector<std::string>& notes) {
  bool told = false;
  for (LocalTask& task : tasks) {
    if (task.allowed_nics.empty()) continue;
    auto names = ports_of_nics(ports, task.allowed_nics);
    if (names.empty() && !std::exchange(told, true))
      notes.push_back("Slurm's list of NICs (SLURM_STEP_NICS=" + printable(join(task.allowed_nics, ",")) +
                      ") means no port of this node, so it is not followed; see File= in gres.conf");
    task.allowed_nics = std::move(names);
  }
  return tasks;
}

}  // namespace cib
