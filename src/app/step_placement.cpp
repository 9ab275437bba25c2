#include "app/step_placement.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "app/explain.hpp"
#include "container_ib/task_devices.hpp"

namespace cib {

Scope StepPlacement::scope(const std::vector<PlacedTask>& ready) const {
  if (asked_.settings.scope != Scope::auto_) return asked_.settings.scope;
  // Networks were made, or not, before anybody could see a container or a GPU.
  if (asked_.has_own_network) return Scope::task;
  std::set<std::string> containers;
  std::size_t in_containers = 0;
  bool gpus = false;
  for (const PlacedTask& task : ready) {
    gpus = gpus || !gpus_of(task).empty();
    if (task.facts.container.id.empty()) continue;
    containers.insert(task.facts.container.id);
    ++in_containers;
  }
  return gpus || in_containers > containers.size() ? Scope::node : Scope::task;
}

Result<StepPlacement::Answer> StepPlacement::place(const std::vector<PlacedTask>& living,
                                                   const std::vector<PlacedTask>& all) {
  PlacementOptions choice = options();
  choice.shown = shown_in_containers(all);
  // A list of ports costs nothing, but each port of a private network is a VF or a child.
  const bool may_roam = choice.rails == 0 && !asked_.may_have_had_own_network;
  std::vector<LocalTask> tasks;
  std::map<unsigned, unsigned> ranks;
  auto withheld = withheld_from(living);
  for (const PlacedTask& task : living) {
    CIB_TRY(auto allowed, allowed_to(task, withheld[task.id], choice));
    ranks[task.id] = task.origin.rank;
    tasks.push_back(
        {task.id, task.origin.mask, gpus_of(task), std::move(allowed), task.origin.bound || !may_roam});
  }
  Answer answer;
  CIB_TRY(answer.assignment, asked_.mode.place({.facts = asked_.node_facts,
                                                .node = node_,
                                                .settings = asked_.settings,
                                                .tasks = tasks,
                                                .options = std::move(choice),
                                                .owner = asked_.owner}));
  const std::string& node = asked_.facts.node_name;
  for (const TaskPlacement& placed : answer.assignment.tasks) {
    auto& ports = answer.ports[placed.task] = placed.ports;
    if (asked_.facts.daemon_step) ports = ports_not_withheld(answer.assignment, withheld[placed.task]);
    if (ports.empty()) return error(Errc::unusable, explain_no_port(node, inventory(), answer.assignment));
    answer.choices[placed.task] = explain_choice(node, ranks[placed.task], inventory(), placed, ports);
  }
  return answer;
}

PlacementOptions StepPlacement::options() const {
  PlacementOptions options = placement_options(asked_.settings, asked_.site, asked_.facts.node_name);
  options.site_fabric = asked_.site_fabric;
  const auto& ports = inventory().ports;
  const bool whole = is_allowed(Mode::device, asked_.site);
  const auto may_be_claimed = [&](const Port& port) { return port.pci && (whole || port.physfn); };
  if (std::none_of(ports.begin(), ports.end(), may_be_claimed)) return options;
  // Where nobody can tell who has which, none is given.
  const auto claims = node_.claims();
  for (const Port& port : ports) {
    if (!may_be_claimed(port)) continue;
    if (!claims) {
      options.claimed.emplace(*port.pci, "another step perhaps (" + claims.error().message() + ")");
      continue;
    }
    const auto claim = claims->find(port.pci->text());
    if (claim != claims->end() && claim->second != asked_.owner)
      options.claimed.emplace(*port.pci, "another step");
  }
  return options;
}

// Of several containers, what each of them shows. In a network of the step's own /sys is that network's.
std::optional<std::vector<std::string>> StepPlacement::shown_in_containers(
    const std::vector<PlacedTask>& tasks) const {
  if (asked_.has_own_network) return std::nullopt;
  std::optional<std::vector<std::string>> shown;
  for (const PlacedTask& task : tasks) {
    const auto& devices = task.facts.container.devices;
    if (!devices) continue;
    if (!shown) shown = devices;
    std::erase_if(*shown, [&](const std::string& name) {
      return std::find(devices->begin(), devices->end(), name) == devices->end();
    });
  }
  return shown;
}

// gpu=local: of the GPUs that a task sees it uses the one of its number on the node, as frameworks do that
// count LOCAL_RANK.
std::vector<PciAddress> StepPlacement::gpus_of(const PlacedTask& task) const {
  if (asked_.settings.gpu == Gpus::no) return {};
  auto gpus = visible_gpus(inventory(), task.facts.gpus);
  if (asked_.settings.gpu == Gpus::local && gpus.size() > 1) gpus = {gpus[task.id % gpus.size()]};
  return gpus;
}

// mpirun's helper starts the node's ranks itself.
std::vector<std::size_t> StepPlacement::ports_not_withheld(const Assignment& assignment,
                                                           const std::vector<std::string>& withheld) const {
  auto ports = eligible_ports(assignment);
  std::erase_if(ports, [&](std::size_t port) {
    return std::find(withheld.begin(), withheld.end(), inventory().ports[port].device) != withheld.end();
  });
  return ports;
}

// What is kept from a task of a step, if only another task's, is kept from every task but that one; so where
// the first has all, all have.
std::map<unsigned, std::vector<std::string>> StepPlacement::withheld_from(
    const std::vector<PlacedTask>& tasks) {
  std::map<unsigned, std::vector<std::string>> withheld;
  if (asked_.settings.mode == Mode::vf) return withheld;  // what its tasks open is on no list of Slurm's
  for (const PlacedTask& task : tasks) {
    withheld[task.id] = tasks_.withheld_from(task.id);
    if (withheld[task.id].empty() && task.id == tasks.front().id) break;
  }
  return withheld;
}

// What Slurm's device cgroup says counts before its variable, which knows numbers only.
Result<std::vector<std::string>> StepPlacement::allowed_to(const PlacedTask& task,
                                                           const std::vector<std::string>& withheld,
                                                           const PlacementOptions& options) const {
  if (withheld.empty()) return split_list(task.facts.nics);
  std::vector<std::string> allowed;
  const auto usable = eligible_ports(cib::place(inventory(), {}, options));
  for (const std::size_t port : usable)
    if (const std::string& device = inventory().ports[port].device;
        std::find(withheld.begin(), withheld.end(), device) == withheld.end())
      allowed.push_back(device);
  if (allowed.empty() && !usable.empty())
    return error(Errc::unusable, explain_withheld(asked_.facts.node_name, task.origin.rank, withheld));
  return allowed;
}

}  // namespace cib
