// The sentences that users read about a placement.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "app/step_facts.hpp"
#include "container_ib/placement.hpp"
#include "container_ib/world/node.hpp"
#include "container_ib/world/tasks.hpp"

namespace cib {

std::string join_names(const std::vector<Port>& ports);          // "mlx5_0:1,mlx5_1:1"
std::string join_numbers(const std::vector<unsigned>& numbers);  // "0,1"

// "n0: no port can be used: mlx5_0:1 is down; mlx5_1:1 is Ethernet"
std::string explain_no_port(const std::string& node, const Inventory& inventory,
                            const Assignment& assignment);
struct FewVfs {
  const std::map<PciAddress, unsigned>& free;
  bool shared = false;         // by the tasks
  bool worth_waiting = false;  // there are enough, and other steps have them
  bool whole_devices = false;  // it is they that are few
};
// "n0: 4 tasks need a VF each, and 3 are free (mlx5_0:1: 1; mlx5_1:1: 2); wait=SECONDS waits for ...".
// `wanted` is what they would have if there were enough.
std::string explain_few_vfs(const std::string& node, const Inventory& inventory, const Assignment& assignment,
                            const Assignment& wanted, const FewVfs& few);
// "n0: rank 5 uses mlx5_1:1 (NUMA 1, same NUMA node, 200 Gb/s)"; several ports have their facts between
// semicolons
std::string explain_choice(const std::string& node, unsigned rank, const Inventory& inventory,
                           const TaskPlacement& placed, const std::vector<std::size_t>& ports);
std::string explain_daemon_step(const std::string& node, const std::vector<std::string>& ports);

// The plugin of that option comes after ours in plugstack.conf.
std::string explain_order(const std::string& container_option);
// Another step has not all of `ports` in the container that both are in.
std::string explain_other_in_container(const ContainerUse& other, const std::vector<Port>& ports);
// "n0: rank 5: ...", why MPI will not start by PMIx in the task's container; empty when it may.
std::string explain_pmix_in_container(const std::string& node, unsigned rank, std::uint32_t uid,
                                      const TaskContainer& container);

// Why a task can have none of the node's HCAs although they are usable.
std::string explain_withheld(const std::string& node, unsigned rank, const std::vector<std::string>& devices);

// Tasks that never spoke to Slurm's PMIx server, which this many did: empty when that is no wonder.
std::string explain_singletons(const StepFacts& facts, unsigned clients);
// What a container that a task has started and that shows these RDMA devices lacks of the task's own, and has
// that it may not have; empty when neither.
std::string explain_inside(const std::vector<std::string>& shown, const std::set<std::string>& own,
                           const std::set<std::string>& allowed);

// Why engines that read a task's folder (task_folder.hpp) will find none.
std::string explain_no_folder(const std::string& node, const Error& error);
// Tasks with a network each that start podman.
std::string explain_sysfs_in_podman(const std::string& node);
// The user has told podman of a file of his own.
std::string explain_own_settings(const std::string& folder);

// Why a task keeps the memlock limit that it had.
std::string explain_memlock(const std::string& node, const Error& error);

}  // namespace cib
