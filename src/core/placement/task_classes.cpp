#include "task_classes.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

namespace cib {

namespace {

template <class T>
std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

// Slurm's gres/nic names the device, or only gives a number. Whatever an HCA is called, it puts "mlx4_"
// before that (gres_nic.c, 22.05 to 26.05), so there the number counts too.
bool TaskClass::lists(const Port& port) const {
  constexpr std::string_view prefix = "mlx4_";
  return std::any_of(allowed_nics.begin(), allowed_nics.end(), [&](const std::string& nic) {
    const std::string number = nic.starts_with(prefix) ? nic.substr(prefix.size()) : nic;
    return nic == port.device || nic == port.name() ||
           (is_number(number) && port.device.ends_with("_" + number));
  });
}

std::vector<TaskClass> task_classes(const Distances& distances, const std::vector<LocalTask>& tasks,
                                    bool use_gpus) {
  using Key = std::tuple<TaskLocation, std::vector<PciAddress>, std::vector<std::string>>;
  std::map<Key, std::size_t> known;
  std::vector<TaskClass> classes;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    TaskClass task_class{distances.locate(tasks[i].mask, tasks[i].bound),
                         use_gpus ? sorted(tasks[i].gpus) : std::vector<PciAddress>(),
                         sorted(tasks[i].allowed_nics),
                         {}};
    const auto [entry, is_new] =
        known.emplace(Key{task_class.location, task_class.gpus, task_class.allowed_nics}, classes.size());
    if (is_new) classes.push_back(std::move(task_class));
    classes[entry->second].tasks.push_back(i);
  }
  return classes;
}

}  // namespace cib
