// What a step's tasks are told: the answer to each, and at the end what carried their data.
#include <utility>

#include "app/explain.hpp"
#include "app/step.hpp"
#include "container_ib/address_pool.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/text.hpp"
#include "container_ib/wire.hpp"

namespace cib {

void Step::answer(unsigned id, Task& task) {
  if (!failure_ && !task.attached) {  // a late one
    auto status = network_.is_private() ? attach_late_network(id, task) : Status();
    if (status.ok()) status = attach(id, task);
    if (!status) {
      turn_away(id, status.error());
      task.progress = Progress::answered;
      return;
    }
  }
  if (task.progress == Progress::dead) return;
  failure_ ? turn_away(id, *failure_) : grant(id, task);
  task.progress = Progress::answered;
}

// With require=no a task goes on as if nobody had asked, unless it is in a network namespace of ours: it
// cannot go back to the node's network, and in an empty one it would be worse off than without us.
void Step::turn_away(unsigned id, const Error& error) {
  if (require_ || error.code == Errc::bad_request || network_.has_joined())
    tasks_.refuse(id, error.message());
  else
    tasks_.decline(id, error.message());
}

void Step::grant(unsigned id, Task& task) {
  EnvironmentInputs in;
  in.mode = settings_.mode;
  in.require = settings_.require;
  in.profiles = settings_.env;
  in.node_ports = node_port_names(task);
  for (const Port& port : inventory_.ports) in.node_devices.push_back(port.device);
  in.plan = assignment_.plan;
  in.private_user_namespaces = facts_.user_namespaces && facts_.local_tasks > 1;
  in.user = task.facts.user_variables;
  for (const Port& port : ports_of(task)) in.task_ports.push_back(port.name());
  in.numa = join_numbers(inventory_.ports[task.ports.front()].numa);
  in.pkey = settings_.pkey;
  std::vector<std::string> lines;
  describe_network(id, task, in, lines);

  const EnvironmentPlan plan = build_environment(in);
  if (facts_.daemon_step) lines.push_back(explain_daemon_step(facts_.node_name, in.task_ports));
  if (settings_.report == ReportLevel::full) {
    for (const std::string& name : plan.kept)
      lines.push_back("task " + std::to_string(id) + " keeps its own " + name);
    lines.insert(lines.end(), plan.notes.begin(), plan.notes.end());
  }
  bool raised = false;
  if (site_.raise_memlock) {
    auto status = tasks_.raise_memlock(id, site_.memlock_bytes);
    raised = status.ok();
    if (!raised && status.error().code != Errc::unavailable) lines.push_back(status.error().message());
  }
  tasks_.grant(id, plan.set, lines, raised);
}

// What a program needs that opens sockets of its own: its interfaces and addresses, and where its peers are.
void Step::describe_network(unsigned id, const Task& task, EnvironmentInputs& in,
                            std::vector<std::string>& lines) const {
  std::vector<std::string> netdevs, addresses;
  for (const NetworkDevice& device : task.devices) {
    netdevs.push_back(device.netdev);
    if (!device.address.empty()) addresses.push_back(device.address);
  }
  in.netdev = join(netdevs, ",");
  in.address = join(addresses, ",");
  if (addresses.empty()) return;
  const auto nodes = task.facts.user_variables.find(nodes_of_step);
  if (nodes == task.facts.user_variables.end()) return;
  auto peers =
      nodes->second.size() < wire::longest_user_value
          ? addresses_of_nodes(site_.addresses, nodes->second, wire::longest_value)
          : Result<std::string>(error(Errc::unsupported, std::string(nodes_of_step) + " is too long"));
  if (peers)
    in.peers = std::move(*peers);
  else if (id == 0 && settings_.report != ReportLevel::off)  // a large job's nodes would all say it
    lines.push_back(facts_.node_name + ": no CONTAINER_IB_PEERS: " + peers.error().message());
}

// For libraries that want one list for all ranks of a node: where a task sees only its own ports, these.
std::vector<std::string> Step::node_port_names(const Task& task) const {
  std::vector<std::string> names;
  if (network_.is_private()) {
    for (const PlacedPort& placed : used_ports())
      if (placed.netns == task.devices.front().netns) names.push_back(placed.port.name());
    return names;
  }
  for (const PortVerdict& verdict : assignment_.verdicts)
    if (verdict.eligible) names.push_back(inventory_.ports[verdict.port].name());
  return names;
}

std::vector<std::string> Step::report() {
  if (reported_ || !decided_ || failure_ || !all_dead() || !traffic_.has_begun()) return {};
  reported_ = true;
  std::vector<std::string> lines;
  if (settings_.report == ReportLevel::full)
    for (const Task& t : task_)
      if (!t.line.empty()) lines.push_back(t.line);
  if (network_.shares_vfs() && settings_.report != ReportLevel::off)
    lines.push_back(facts_.node_name +
                    ": not isolated: the RDMA subsystem is in shared mode, in which other steps "
                    "on the node can open this step's VFs too");
  const auto judgement = traffic_.judge(facts_.nodes);
  if (!judgement)
    lines.push_back(facts_.node_name + ": unknown: " + judgement.error().message());
  else if (judgement->verdict != Verdict::native || settings_.report != ReportLevel::off)
    lines.push_back(facts_.node_name + ": " + std::string(verdict_name(judgement->verdict)) + ": " +
                    judgement->reason);
  return lines;
}

}  // namespace cib
