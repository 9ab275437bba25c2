#include "task_classes.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace cib {

namespace {

template <class T>
std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

}  // namespace

bool TaskClass::allows(const Port& port) const {
  return allowed_ports.empty() || std::binary_search(allowed_ports.begin(), allowed_ports.end(), port.name());
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
        known.emplace(Key{task_class.location, task_class.gpus, task_class.allowed_ports}, classes.size());
    if (is_new) classes.push_back(std::move(task_class));
    classes[entry->second].tasks.push_back(i);
  }
  return classes;
}

}  // namespace cib
