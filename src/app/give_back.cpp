#include "app/give_back.hpp"

#include <set>

namespace cib {

std::vector<const Record*> in_force(const std::vector<Record>& records) {
  std::set<std::uint32_t> undone;
  std::vector<const Record*> left;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (const auto* one = get_if<Undone>(*record)) undone.insert(one->of);
    if (record->mark == Mark::intent && get_if<Action>(*record) != nullptr && !undone.contains(record->seq))
      left.push_back(&*record);
  }
  return left;
}

GivenBack give_back(Kernel& kernel, const std::vector<const Record*>& records) {
  GivenBack done;
  std::set<std::string> needed;  // things that something still rests on
  for (const Record* record : records) {
    const Action& action = *get_if<Action>(*record);
    const bool is_needed = needed.contains(thing_of(action));
    const auto status = is_needed ? Status() : kernel.undo(action);
    if (!is_needed && status.ok()) {
      done.undone.push_back(*record);
      continue;
    }
    if (!status) done.failed.push_back(std::string(verb_of(action)) + ": " + status.error().message());
    needed.insert(thing_of(action));
    for (const std::string& thing : rests_on(action)) needed.insert(thing);
  }
  return done;
}

}  // namespace cib
