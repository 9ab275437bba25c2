#include "app/modes/vf_places.hpp"

#include <algorithm>
#include <set>

#include "app/explain.hpp"

namespace cib {

namespace {

using Counts = std::map<PciAddress, unsigned>;

// How many VFs of each PF the tasks take. Both ports of an HCA have the same VFs, and tasks that share a
// network share one for each port.
Counts used(const Inventory& node, const Assignment& assignment, bool shared) {
  Counts uses;
  std::set<std::size_t> ports;
  for (const TaskPlacement& task : assignment.tasks)
    for (const std::size_t port : task.ports)
      if (!shared || ports.insert(port).second) ++uses[*node.ports[port].pci];
  return uses;
}

bool each_has(const Assignment& assignment, const Assignment& wanted) {
  return std::equal(assignment.tasks.begin(), assignment.tasks.end(), wanted.tasks.begin(),
                    [](const TaskPlacement& has, const TaskPlacement& wants) {
                      return has.ports.size() >= wants.ports.size();
                    });
}

bool has_portless_task(const Assignment& assignment) {
  return std::any_of(assignment.tasks.begin(), assignment.tasks.end(),
                     [](const TaskPlacement& task) { return task.ports.empty(); });
}

bool within(const Counts& uses, const Counts& limits) {
  return std::all_of(uses.begin(), uses.end(),
                     [&](const auto& use) { return use.second <= limits.at(use.first); });
}

Status check_limits(const std::string& node_name, const Counts& uses, const VfCapacity& capacity,
                    const VfPolicy& policy) {
  unsigned needed = 0;
  for (const auto& [pci, count] : uses) needed += count;
  const auto text = [&](unsigned limit, const char* whose, const char* key) {
    return node_name + ": this step needs " + std::to_string(needed) + (needed == 1 ? " VF" : " VFs") +
           " here, and the site allows each " + whose + ' ' + std::to_string(limit) + " on a node (vf." +
           key + ")";
  };
  if (policy.per_step != 0 && needed > policy.per_step)
    return error(Errc::denied, text(policy.per_step, "step", "per_step"));
  if (policy.per_user == 0 || needed + capacity.of_user <= policy.per_user) return {};
  if (needed > policy.per_user) return error(Errc::denied, text(policy.per_user, "user", "per_user"));
  return error(Errc::in_use, text(policy.per_user, "user", "per_user") +
                                 ", of which other steps of yours have " + std::to_string(capacity.of_user) +
                                 "; wait=SECONDS waits for those");
}

}  // namespace

Result<Assignment> place_on_vfs(const std::string& node_name, const Inventory& node,
                                const std::vector<LocalTask>& tasks, PlacementOptions options,
                                const VfCapacity& capacity, const VfPolicy& policy) {
  Counts all = capacity.free;
  for (const auto& [pci, count] : capacity.claimed) all[pci] += count;
  options.why_no_vf = capacity.why_none;
  options.whole_devices = capacity.whole_devices;
  const auto place_with = [&](const Counts& vfs, bool shared) {
    PlacementOptions with = options;
    with.free_vfs = vfs;
    with.shared_vfs = shared;
    return place(node, tasks, with);
  };
  const bool shared = options.shared_vfs;
  Assignment wanted = place_with(all, true);  // what they would have if there were VFs without end
  if (has_portless_task(wanted)) return error(Errc::unusable, explain_no_port(node_name, node, wanted));
  const auto enough = [&](const Assignment& assignment, const Counts& vfs) {
    return each_has(assignment, wanted) && within(used(node, assignment, shared), vfs);
  };
  const auto limits = [&](const Assignment& assignment) {
    return check_limits(node_name, used(node, assignment, shared), capacity, policy);
  };

  Assignment now = place_with(capacity.free, shared);
  if (options.rails == 0 && (!enough(now, capacity.free) || !limits(now).ok())) {
    options.rails = 1;
    wanted = place_with(all, true);
    now = place_with(capacity.free, shared);
  }
  if (!enough(now, capacity.free)) {
    const bool worth_waiting = enough(place_with(all, shared), all);
    return error(worth_waiting ? Errc::in_use : Errc::unusable,
                 explain_few_vfs(node_name, node, now, wanted,
                                 {capacity.free, shared, worth_waiting, capacity.whole_devices}));
  }
  CIB_CHECK(limits(now));
  return now;
}

}  // namespace cib
