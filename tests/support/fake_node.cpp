#include "support/fake_node.hpp"

#include <stdexcept>

namespace cib::test {

Inventory FakeNode::two_numa_nodes() {
  Inventory node;
  for (unsigned n = 0; n < 2; ++n) {
    node.numa_nodes.push_back({.os_index = n, .package = n, .cpus = CpuSet({n == 0 ? 0x0fU : 0xf0U})});
    Port port;
    port.device = "mlx5_" + std::to_string(n);
    port.pci = PciAddress{0, static_cast<std::uint8_t>(0x20 + n), 0, 0};
    port.driver = "mlx5_core";
    port.numa = {n};
    port.state = PortState::active;
    port.phys_state = PhysState::link_up;
    port.link_layer = LinkLayer::infiniband;
    port.rate_gbps = 200;
    port.lid = 10 + n;
    port.sm_lid = 1;
    port.node_guid = 0x100 + n;
    port.sys_image_guid = 0x100 + n;
    port.subnet_prefix = 0xfe80000000000000U;
    port.pkeys = {0xffff};
    node.ports.push_back(port);
  }
  node.distances = {{10, 21}, {21, 10}};
  return node;
}

// The one place where the fake world changes, so the one place where faults happen.
template <class Effect>
Status FakeNode::change(const char* what, Effect effect) {
  const bool here = ++changes_ == fault_at_;
  if (here && fault_ == Fault::fails) return error(Errc::kernel, std::string("injected: ") + what, EIO);
  if (here && fault_ == Fault::agent_dies_before) {
    agent_alive = false;
    throw AgentDied{};
  }
  effect();
  if (here && fault_ == Fault::agent_dies_after) {
    agent_alive = false;
    throw AgentDied{};
  }
  return {};
}

Result<SiteConfig> FakeNode::site_config(const std::string&) {
  if (site_error) return *site_error;
  return site;
}

Status FakeNode::mount_devices(unsigned task, const std::vector<Port>& ports, bool) {
  if (!tasks_[task].alive) return error(Errc::unavailable, "the task has ended");
  return change("mount", [&] {
    for (const Port& port : ports) tasks_[task].devices.insert(port.device);
  });
}

Status FakeNode::unmount_devices(unsigned task) {
  return change("unmount", [&] { tasks_[task].devices.clear(); });
}

Status FakeNode::raise_memlock(unsigned task, std::optional<std::uint64_t> cap) {
  return change("memlock", [&] { tasks_[task].memlock = cap.value_or(0); });
}

void FakeNode::answer(unsigned task, const std::string& text) {
  (void)change("answer", [&] {
    if (!tasks_[task].alive) return;
    if (tasks_[task].answer) throw std::logic_error("task " + std::to_string(task) + " was answered twice");
    tasks_[task].answer = text;
  });
}

void FakeNode::grant(unsigned task, const std::vector<EnvironmentChange>& set,
                     const std::vector<std::string>& lines, bool) {
  answer(task, "granted");
  for (const auto& [name, value] : set) tasks_[task].environment[name] = value;
  tasks_[task].lines = lines;
}

void FakeNode::decline(unsigned task, const std::string& why) { answer(task, "declined: " + why); }
void FakeNode::refuse(unsigned task, const std::string& why) { answer(task, "refused: " + why); }

std::vector<std::string> FakeNode::kill_survivors() {
  std::vector<std::string> left;
  for (unsigned id = 0; id < tasks_.size(); ++id) {
    if (unkillable.contains(std::to_string(id)) && tasks_[id].alive)
      left.push_back("pid " + std::to_string(1000 + id) + " (stuck)");
    else
      tasks_[id].alive = false;
  }
  return left;
}

Status FakeNode::create(const std::string& step) {
  return change("create journal", [&] {
    own_step_ = step;
    journals[step].clear();
  });
}

Status FakeNode::append(const Record& record) {
  return change("append to journal", [&] { journals[own_step_].push_back(record); });
}

Status FakeNode::remove() {
  return change("remove journal", [&] { journals.erase(own_step_); });
}

Result<std::vector<JournaledStep>> FakeNode::steps() {
  std::vector<JournaledStep> steps;
  for (const auto& [name, records] : journals) steps.push_back({name, records});
  return steps;
}

// Pids: 1 slurmstepd, 2 the agent, 1000 + id the tasks.
bool FakeNode::is_alive(const JournaledProcess& process) {
  if (process.pid == "1") return stepd_alive;
  if (process.pid == "2") return agent_alive;
  for (unsigned id = 0; id < tasks_.size(); ++id)
    if (process.pid == std::to_string(1000 + id)) return tasks_[id].alive;
  return false;
}

std::vector<std::string> FakeNode::kill(const std::vector<JournaledProcess>& processes) {
  std::vector<std::string> left;
  for (const JournaledProcess& process : processes)
    for (unsigned id = 0; id < tasks_.size(); ++id) {
      if (process.pid != std::to_string(1000 + id) || !tasks_[id].alive) continue;
      if (unkillable.contains(std::to_string(id)))
        left.push_back("pid " + process.pid + " (stuck)");
      else
        tasks_[id].alive = false;
    }
  return left;
}

Status FakeNode::remove(const std::string& step) {
  journals.erase(step);
  return {};
}

}  // namespace cib::test
