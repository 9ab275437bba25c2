// The variables that make the MPI stacks in a task use its ports.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/config.hpp"
#include "container_ib/placement.hpp"

namespace cib {

struct EnvironmentInputs {
  Mode mode = Mode::verbs;
  bool require = false;
  std::vector<std::string> profiles = {"auto"};
  std::vector<std::string> task_ports;    // "mlx5_2:1", best first
  std::vector<std::string> node_ports;    // every eligible port of the node and of one kind, for NCCL
  std::vector<std::string> node_devices;  // every RDMA device of the node, eligible or not
  std::string numa;                       // NUMA nodes of the first port, "0" or "0,1"; may be empty
  std::string plan;
  std::string netdev;                 // the task's own network devices, "ib0"; empty in the host's network
  std::string address;                // their addresses, in the same order
  std::string peers;                  // the addresses that tasks of each node of the step may have
  std::optional<std::uint16_t> pkey;  // when it was asked for
  // Of the partition in the tables of node_ports, if they agree.
  std::optional<unsigned> pkey_index;
  bool ethernet = false;  // all of the task's ports are: RoCE
  // Of the GID that RoCE is to use, where all of the task's ports, or node_ports, agree.
  std::optional<unsigned> gid_index, node_gid_index;
  bool efa = false;                         // all of the task's ports are
  std::string nccl_topology;                // file that describes the node to NCCL, where the task sees it
  std::vector<std::string> lent_providers;  // "mlx5", which the node lends to the container's image
  ReportLevel report = ReportLevel::off;
  bool private_user_namespaces = false;  // the node's tasks may be in different user namespaces
  std::vector<std::string> shown_ports;  // those that the task can open; empty where that is not known
  // What the user has set of environment_inputs() and of the site's variables.
  std::map<std::string, std::string> user;
  std::vector<EnvironmentChange> site;  // what site_variables() make of the task
};

struct EnvironmentPlan {
  std::vector<EnvironmentChange> set;  // in a fixed order
  std::vector<std::string> kept;       // names that the user has set and that therefore stay
  std::vector<std::string> of_site;    // names in `set` whose value is from the site's file
  std::vector<std::string> notes;      // one line each, for the full report
  std::vector<std::string> warnings;   // of what the user has set; a line each, for any report
};

// Slurm's host list of the step's nodes, which EnvironmentInputs::peers is made from.
inline constexpr const char* nodes_of_step = "SLURM_STEP_NODELIST";

// A list of folders: what is set of it comes before what is there.
inline constexpr const char* search_path = "LD_LIBRARY_PATH";

// What Slurm's PMIx server tells its clients of itself: "4.2.2".
inline constexpr const char* pmix_version_variable = "PMIX_VERSION";

// Names of the variables whose presence or value in the user's environment changes the answer.
const std::vector<std::string_view>& environment_inputs();

// A task has these ports, and `all` are those of all tasks that it shares a network with: for one in a
// network of its own, where it has other ports than it was placed on, or the same by other addresses.
void use_ports(EnvironmentInputs& in, const std::vector<Port>& own, const std::vector<Port>& all);

// What the request, the node and its placement decide for a task in the node's network. `ports`: the task's,
// as indexes in the inventory, best first. `rules`: those of the site's file for the node.
EnvironmentInputs inputs_of_task(const Settings& settings, const Inventory& node,
                                 const Assignment& assignment, const std::vector<std::size_t>& ports,
                                 const std::vector<EnvironmentRule>& rules);

// The file for EnvironmentInputs::nccl_topology of a task that sees the node's files; empty without one.
std::string nccl_topology_of(const SiteConfig& site);

// A variable of the user's own stays as it is. The site's file comes before our table, but for what says what
// the task has; with env=none neither counts.
EnvironmentPlan build_environment(const EnvironmentInputs& in);

}  // namespace cib
