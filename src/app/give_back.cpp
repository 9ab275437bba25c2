#include "app/give_back.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace cib {

namespace {

// What a journal also holds, and what needs no undo: who the owner and the tasks are, mounts that end with
// their namespaces.
constexpr std::array<std::string_view, 5> not_kernel_actions = {"open", "task", "ports", "mount_devices",
                                                                "quarantine"};

bool is_kernel_action(const Record& record) {
  return record.mark == Mark::intent && std::find(not_kernel_actions.begin(), not_kernel_actions.end(),
                                                  record.verb) == not_kernel_actions.end();
}

// What it is done to, by a name that no two things of a step share. The actions of a VF and its claim are
// about one thing, the VF; the IPoIB children of an HCA are each one of its own, though they name its address
// too.
std::string thing_of(const Record& record) {
  if (record.verb == "claim") return record.field("name");
  if (!record.field("vf").empty()) return record.field("pci");
  const std::string netns = record.field("netns");
  return record.verb == "netns" ? netns : netns + '/' + record.field("name");
}

}  // namespace

std::vector<const Record*> in_force(const std::vector<Record>& records) {
  std::set<std::string> undone;
  std::vector<const Record*> left;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (record->mark == Mark::undone) undone.insert(record->field("of"));
    if (is_kernel_action(*record) && !undone.contains(std::to_string(record->seq))) left.push_back(&*record);
  }
  return left;
}

GivenBack give_back(Kernel& kernel, const std::vector<const Record*>& records) {
  GivenBack done;
  std::set<std::string> needed;  // things that something still rests on
  for (const Record* record : records) {
    const std::string thing = thing_of(*record);
    const bool rests = needed.contains(thing);
    const auto status = rests ? Status() : kernel.revert({record->verb, record->fields});
    if (!rests && status.ok()) {
      done.reverted.push_back(*record);
      continue;
    }
    if (!status) done.failed.push_back(record->verb + ": " + status.error().message());
    needed.insert({thing, record->field("netns")});
  }
  return done;
}

}  // namespace cib
