#include "app/explain.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "container_ib/text.hpp"

namespace cib {

namespace {

template <class T, class F>
std::string join(const std::vector<T>& values, const char* between, F text) {
  std::string joined;
  for (const T& value : values) joined += (joined.empty() ? "" : between) + text(value);
  return joined;
}

}  // namespace

std::string join_names(const std::vector<Port>& ports) {
  return join(ports, ",", [](const Port& port) { return port.name(); });
}

std::string join_numbers(const std::vector<unsigned>& numbers) {
  return join(numbers, ",", [](unsigned number) { return std::to_string(number); });
}

std::string explain_no_port(const std::string& node, const Inventory& inventory,
                            const Assignment& assignment) {
  if (assignment.verdicts.empty()) return node + ": no InfiniBand port: this node has no RDMA device";
  // VFs that nobody has named are in nobody's way where there is a PF that says why.
  std::vector<PortVerdict> ports = assignment.verdicts;
  std::erase_if(ports, [&](const PortVerdict& verdict) {
    return inventory.ports[verdict.port].physfn && verdict.why_not.starts_with("a VF; ");
  });
  if (ports.empty()) ports = assignment.verdicts;
  return node + ": no InfiniBand port can be used: " + join(ports, "; ", [&](const PortVerdict& verdict) {
           return inventory.ports[verdict.port].name() + ": " +
                  (verdict.eligible ? std::string("not allowed to this task") : verdict.why_not);
         });
}

std::string explain_few_vfs(const std::string& node, const Inventory& inventory, const Assignment& assignment,
                            const Assignment& wanted, const FewVfs& few) {
  std::map<PciAddress, unsigned> usable;  // both ports of an HCA have the same VFs
  std::vector<std::string> ports;
  for (const PortVerdict& verdict : assignment.verdicts) {
    const Port& port = inventory.ports[verdict.port];
    if (port.physfn) continue;
    const unsigned count = verdict.eligible ? few.free.at(*port.pci) : 0;
    if (verdict.eligible) usable[*port.pci] = count;
    const std::string has = few.whole_devices ? "free" : std::to_string(count);
    ports.push_back(port.name() + ": " + (verdict.eligible ? has : verdict.why_not));
  }
  unsigned free = 0;
  for (const auto& [pci, count] : usable) free += count;
  std::size_t rails = 1;
  for (const TaskPlacement& task : wanted.tasks) rails = std::max(rails, task.ports.size());
  const std::size_t tasks = wanted.tasks.size();
  const std::string one = few.whole_devices ? "a whole HCA" : "a VF";
  const std::string several = few.whole_devices ? " whole HCAs" : " VFs";
  return node + ": " + std::to_string(tasks) + (tasks == 1 ? " task needs " : " tasks need ") +
         (rails == 1 ? one : std::to_string(rails) + several) +
         (tasks == 1   ? ""
          : few.shared ? " together"
                       : " each") +
         ", and " + std::to_string(free) + (free == 1 ? " is" : " are") + " free (" + cib::join(ports, "; ") +
         "); " +
         (few.worth_waiting ? "wait=SECONDS waits for those that other steps have"
                            : "the node has not enough even when no other step uses any");
}

std::string explain_choice(const std::string& node, unsigned rank, const Inventory& inventory,
                           const TaskPlacement& placed, const std::vector<std::size_t>& ports) {
  std::vector<Port> chosen;
  for (const std::size_t index : ports) chosen.push_back(inventory.ports[index]);
  const std::string why = join(chosen, "; ", [&](const Port& port) {
    std::vector<std::string> facts;
    if (!port.numa.empty()) facts.push_back("NUMA " + numa_text(port));
    if (&port == &chosen.front()) facts.push_back(placed.locality);
    if (const long rate = std::lround(port.rate_gbps); rate > 0)
      facts.push_back(std::to_string(rate) + " Gb/s");
    return cib::join(facts);
  });
  return node + ": rank " + std::to_string(rank) + " uses " + join_names(chosen) + " (" + why + ")";
}

std::string explain_daemon_step(const std::string& node, const std::vector<std::string>& ports) {
  return node + ": mpirun starts the ranks here itself, so they share the node's ports " +
         join(ports, ",", [](const std::string& name) { return name; }) +
         "; srun would give each the nearest";
}

std::string explain_order(const std::string& container_option) {
  return "the plugin of " + container_option +
         " comes after container_ib.so in plugstack.conf, and its container would show all tasks the devices "
         "of "
         "one; move the line of container_ib.so behind that plugin's, or rename its file in plugstack.conf.d "
         "so "
         "that it sorts last; ask your administrator";
}

std::string explain_other_in_container(const ContainerUse& other, const std::vector<Port>& ports) {
  return title_of(other.step) + " is in the same container and has " + other.ports +
         " there, and this one would have " + join_names(ports) + "; take hca=" + other.ports +
         ", wait until that has ended, or take a container of your own";
}

// PMIx takes only who has the user id of the server's user (ptl base, pmix_ptl_base_connection_handler).
std::string explain_pmix_in_container(const std::string& node, unsigned rank, std::uint32_t uid,
                                      const TaskContainer& container) {
  const std::string who = node + ": rank " + std::to_string(rank) + ": ";
  if (container.uid && *container.uid != uid)
    return who + "its container has user " + std::to_string(uid) + " as " + std::to_string(*container.uid) +
           ", and Slurm's PMIx server takes only the user's own id: MPI will not start by PMIx; leave out "
           "the "
           "option that makes you another user (--container-remap-root)";
  if (container.other_network)
    return who +
           "its container has a network of its own, which Slurm's PMIx server is not in: MPI will not "
           "start by PMIx; leave that network out (--container-unshare=net, ENROOT_UNSHARE_NET)";
  return {};
}

// A program without MPI speaks to nobody; in an engine it is as likely that PMIx's variables or its sockets
// are not inside, and then MPI_Init makes each rank a job of its own, which ends well.
std::string explain_singletons(const StepFacts& facts, unsigned clients) {
  if (facts.local_tasks * facts.nodes < 2 || clients >= facts.local_tasks) return {};
  if (clients > 0)
    return "only " + std::to_string(clients) + " of " + std::to_string(facts.local_tasks) +
           " tasks have spoken to Slurm's PMIx server: if this was MPI, the others ran as jobs of one rank "
           "each";
  if (!facts.engine) return {};
  return "no task has spoken to Slurm's PMIx server: if this was MPI, it ran as " +
         std::to_string(facts.local_tasks) +
         " jobs of one rank each here; the container needs the PMIX_* variables and the node's network and "
         "/tmp";
}

std::string explain_withheld(const std::string& node, unsigned rank,
                             const std::vector<std::string>& devices) {
  return node + ": rank " + std::to_string(rank) + ": Slurm keeps " + cib::join(devices) +
         " from this step (ConstrainDevices in cgroup.conf, File= in gres.conf); ask for HCAs with "
         "--gres=nic:1";
}

std::string explain_inside(const std::vector<std::string>& shown, const std::set<std::string>& own,
                           const std::set<std::string>& allowed) {
  std::vector<std::string> missing, others;
  std::set_difference(own.begin(), own.end(), shown.begin(), shown.end(), std::back_inserter(missing));
  std::set_difference(shown.begin(), shown.end(), allowed.begin(), allowed.end(), std::back_inserter(others));
  if (missing.empty() && others.empty()) return {};
  if (others.empty())
    return "the container that it has started does not show " + cib::join(missing) +
           ", which is its own; mount /dev/infiniband into it (apptainer --bind, podman -v, bwrap "
           "--dev-bind)";
  return "the container that it has started shows " + cib::join(others) + ", which this task was not given" +
         (missing.empty() ? "" : ", and not its own " + cib::join(missing)) +
         "; a container that tasks of a node share needs scope=node, another has to be started by the task "
         "itself";
}

std::string explain_no_folder(const std::string& node, const Error& error) {
  return node + ": podman and CDI are told nothing of what the tasks have: " + error.message();
}

std::string explain_sysfs_in_podman(const std::string& node) {
  return node +
         ": rootless podman shows a node's tasks the /sys of the first that starts it, without the other "
         "tasks' VFs; say scope=node";
}

std::string explain_own_settings(const std::string& folder) {
  return std::string(podman_settings_variable) +
         " is yours and stays; podman has the task's HCAs with 'podman --module=$(dirname $" +
         cdi_folder_variable + ")/containers.conf', here " + podman_settings_of(folder);
}

std::string explain_memlock(const std::string& node, const Error& error) {
  std::string text = node + ": " + error.message();
  if (error.sys_errno == EPERM)
    text += "; slurmd on " + node +
            " needs CAP_SYS_RESOURCE, or a hard limit that is high enough"
            " (LimitMEMLOCK=infinity in its unit)";
  return text;
}

}  // namespace cib
