#include "adapters/node/rdma_users.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/container.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/netlink/rdma_resources.hpp"
#include "adapters/state/steps_of_processes.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// The ports of a device that the step has, by number.
struct UsedDevice {
  std::string driver;
  std::map<unsigned, std::string> ports;
};
using UsedDevices = std::map<std::string, UsedDevice>;  // by name

// Queue pairs that are made by DEVX are the firmware's alone (rdma-core: providers/mlx5/mlx5dv.h), and UCX
// makes all of its so. Besides, the kernel would ask the firmware about each of the others.
bool hides_queue_pairs(const std::string& driver) { return driver == "mlx5_core"; }

// The process of a thread; nothing when it has ended.
std::optional<pid_t> process_of(pid_t thread) {
  const auto status = read_small_file("/proc/" + std::to_string(thread) + "/status");
  if (!status) return {};
  return whole_number<pid_t>(proc_field(*status, "Tgid"));
}

// Processes by the ports that they hold something of. Nothing stands for those that the kernel does not name;
// those that have ended are left out.
using Processes = std::map<std::optional<pid_t>, std::set<unsigned>>;

Processes processes_of(const std::set<RdmaHolder>& holders) {
  Processes processes;
  for (const RdmaHolder& holder : holders) {
    const auto process = holder.thread ? process_of(*holder.thread) : std::nullopt;
    if (process || !holder.thread) processes[process].insert(holder.port);
  }
  return processes;
}

constexpr std::size_t most_processes = 1024;  // of a device; some file reads each

class Search {
 public:
  Search(const std::string& step, const std::string& state_dir) : step_(step), state_dir_(state_dir) {}

  // In this thread's network namespace; takes what it finds out of `devices`.
  Status look_at(UsedDevices& devices) {
    CIB_TRY(const auto present, rdma_devices());
    for (const RdmaDevice& device : present) {
      const auto used = devices.find(device.name);
      if (used == devices.end()) continue;
      CIB_CHECK(look_at(device, used->second));
      devices.erase(used);
    }
    return {};
  }

  RdmaUsers found;

 private:
  Status look_at(const RdmaDevice& device, const UsedDevice& used) {
    CIB_TRY(const auto holders, holders_of_protection_domains(device));
    if (holders.size() > most_processes)
      return error(Errc::unsupported, "more than 1024 processes have " + device.name + " in use");
    std::map<std::optional<pid_t>, std::string> others;  // and their steps
    for (const auto& [process, ports] : processes_of(holders)) {
      if (process && !steps_) {
        CIB_TRY(steps_, StepsOfProcesses::read(state_dir_));
      }
      std::string step = process ? steps_->step_of(*process) : "";
      step == step_ ? void(found.own = true) : void(others.emplace(process, std::move(step)));
    }
    if (others.empty()) return {};
    std::optional<Processes> queue_pairs;
    if (!hides_queue_pairs(used.driver)) {
      CIB_TRY(const auto lists, holders_of_queue_pairs(device));
      queue_pairs = processes_of(lists);
    }
    for (const auto& [process, step] : others)
      if (auto did = what_it_did(device, used, process, queue_pairs); !did.empty()) add(process, step, did);
    return {};
  }

  static std::string what_it_did(const RdmaDevice& device, const UsedDevice& used,
                                 const std::optional<pid_t>& process,
                                 const std::optional<Processes>& queue_pairs) {
    if (!queue_pairs) return "had " + device.name + " in use";
    const auto its = queue_pairs->find(process);
    if (its == queue_pairs->end()) return "";
    if (its->second.contains(0)) return "had queue pairs of " + device.name;  // of a port before long
    std::vector<std::string> names;
    for (const auto& [number, name] : used.ports)
      if (its->second.contains(number)) names.push_back(name);
    return names.empty() ? "" : "had queue pairs on " + join(names, ",");
  }

  // A number that went to another process meanwhile gives a wrong name to a line of a report, no more.
  void add(const std::optional<pid_t>& process, const std::string& step, const std::string& did) {
    RdmaUser user{.process = "", .step = step, .did = did};
    if (process) {
      user.process = numbered_process_text(*process);
      if (const auto owner = file_owner_of(*process)) user.uid = owner->uid;
    }
    found.others.push_back(std::move(user));
  }

  const std::string& step_;
  const std::string& state_dir_;
  std::optional<StepsOfProcesses> steps_;  // read when there is anybody
};

}  // namespace

Result<RdmaUsers> rdma_users_of(const std::vector<PlacedPort>& ports, const std::string& step,
                                const std::string& state_dir) {
  UsedDevices devices;
  std::map<std::string, NetnsFile> places;
  for (const auto& [port, netns] : ports) {
    UsedDevice& used = devices[port.device];
    used.driver = port.driver;
    used.ports.emplace(port.number, port.name());
    places.emplace(port.device, netns);
  }
  Search search(step, state_dir);
  CIB_CHECK(search.look_at(devices));
  while (!devices.empty()) {
    const auto [name, netns] = *places.find(devices.begin()->first);
    if (!netns.empty()) {
      CIB_TRY(const NetworkVisit visit, NetworkVisit::to_pinned(netns));
      CIB_CHECK(search.look_at(devices));
    }
    if (devices.contains(name)) return error(Errc::not_found, name + " is not among the RDMA devices");
  }
  return std::move(search.found);
}

}  // namespace cib
