// What a step's tasks are told: the answer to each, and at the end what carried their data.
#include <utility>

#include "app/explain.hpp"
#include "app/step.hpp"
#include "container_ib/address_pool.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/text.hpp"
#include "container_ib/wire.hpp"

namespace cib {

namespace {

// The nodes of a step do not talk with each other, so of what all may have to say the first ones by number
// speak for all: a step of 1,000 nodes is not worth 1,000 lines.
constexpr unsigned nodes_that_tell = 8;

}  // namespace

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
  std::string why = error.message();
  for (const std::string& line : forced_) why += "; " + line;
  if (require_ || error.code == Errc::bad_request || network_.has_joined())
    tasks_.refuse(id, why);
  else
    tasks_.decline(id, why);
}

void Step::grant(unsigned id, Task& task) {
  EnvironmentInputs in = inputs_of_node(settings_, inventory_, assignment_);
  in.node_ports = node_port_names(task);
  in.private_user_namespaces = facts_.user_namespaces && facts_.local_tasks > 1;
  in.user = task.facts.user_variables;
  for (const Port& port : ports_of(task)) in.task_ports.push_back(port.name());
  in.numa = join_numbers(inventory_.ports[task.ports.front()].numa);
  std::vector<std::string> lines;
  const bool first_of_step = facts_.node_id == 0 && !greeted_;
  greeted_ = true;
  if (first_of_step) lines = forced_;
  const auto network = describe_network(task, in);
  if (!network && first_of_step) lines.push_back(facts_.node_name + ": " + network.error().message());

  const EnvironmentPlan plan = build_environment(in);
  if (facts_.daemon_step && is_talkative())
    lines.push_back(explain_daemon_step(facts_.node_name, in.task_ports));
  if (settings_.report == ReportLevel::full) {
    for (const std::string& name : plan.kept)
      lines.push_back("rank " + std::to_string(task.rank) + " keeps its own " + name);
    lines.insert(lines.end(), plan.notes.begin(), plan.notes.end());
  }
  bool raised = false;
  if (site_.raise_memlock) {
    auto status = tasks_.raise_memlock(id, site_.memlock_bytes);
    raised = status.ok();
    if (!raised && status.error().code != Errc::ended && !std::exchange(memlock_told_, true))
      lines.push_back(explain_memlock(facts_.node_name, status.error()));
  }
  tasks_.grant(id, plan.set, lines, raised);
}

// What a program needs that opens sockets of its own: its interfaces and addresses, and where its peers are.
Status Step::describe_network(const Task& task, EnvironmentInputs& in) const {
  std::vector<std::string> netdevs, addresses;
  for (const NetworkDevice& device : task.devices) {
    netdevs.push_back(device.netdev);
    if (!device.address.empty()) addresses.push_back(device.address);
  }
  in.netdev = join(netdevs, ",");
  in.address = join(addresses, ",");
  if (addresses.empty()) return {};
  const auto nodes = task.facts.user_variables.find(nodes_of_step);
  if (nodes == task.facts.user_variables.end()) return {};
  auto peers =
      nodes->second.size() < wire::longest_user_value
          ? addresses_of_nodes(site_.addresses, nodes->second, wire::longest_value)
          : Result<std::string>(error(Errc::unsupported, std::string(nodes_of_step) + " is too long"));
  if (!peers) return std::move(peers).error().in("no CONTAINER_IB_PEERS");
  in.peers = std::move(*peers);
  return {};
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
  if (const std::string caveat = mode_->caveat(node_facts()); !caveat.empty() && settings_.report != ReportLevel::off)
    lines.push_back(facts_.node_name + ": " + std::string(mode_name(settings_.mode)) + ' ' + caveat);
  auto judged = traffic_.judge(facts_.nodes);
  const Judgement judgement =
      judged ? std::move(*judged)
             : Judgement{.verdict = Verdict::unknown, .reason = judged.error().message()};
  if (!is_worth_telling(judgement)) return lines;
  lines.push_back(facts_.node_name + ": " + std::string(verdict_name(judgement.verdict)) + ": " +
                  judgement.reason);
  if (facts_.node_id + 1 == nodes_that_tell && facts_.nodes > nodes_that_tell &&
      settings_.report != ReportLevel::full)
    lines.back() += "; of the " + std::to_string(facts_.nodes - nodes_that_tell) +
                    " nodes after this one those say so that were not native";
  return lines;
}

bool Step::is_talkative() const {
  return facts_.node_id < nodes_that_tell || settings_.report == ReportLevel::full;
}

bool Step::is_worth_telling(const Judgement& judgement) const {
  if (judgement.verdict == Verdict::not_native) return true;
  const bool is_news = judgement.verdict != Verdict::native && !judgement.idle;
  return is_talkative() && (is_news || settings_.report != ReportLevel::off);
}

}  // namespace cib
