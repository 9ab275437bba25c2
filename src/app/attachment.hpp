// What a step has on its node: the request resolved against the site, the tasks' places, networks and
// devices, and the journal by which all of it is given back. Knows nothing of answers or of when to decide.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/modes/mode_unit.hpp"
#include "app/step_actions.hpp"
#include "app/step_containers.hpp"
#include "app/step_facts.hpp"
#include "app/step_images.hpp"
#include "app/step_journal.hpp"
#include "app/step_network.hpp"
#include "app/step_placement.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/placement.hpp"
#include "container_ib/world/tasks.hpp"

namespace cib {

class Attachment {
 public:
  // `facts` lives as long as this. `meanwhile` is called between what takes long.
  Attachment(const StepFacts& facts, Node& node, AttachedTasks& tasks, StateStore& state, Kernel& kernel,
             std::function<void()> meanwhile);

  // Reads the site's file and the node, and chooses the mode; from then on there is a journal.
  Status begin();
  const Settings& settings() const { return settings_; }
  const SiteConfig& site() const { return site_; }
  bool require() const { return require_; }
  // What the site sets instead of the user's values, one line each.
  const std::vector<std::string>& forced() const { return forced_; }
  // Whether tasks wait to be told their network, as the plugin reads the option.
  bool network_may_be_private() const { return network_may_be_private_; }
  bool is_private() const { return network_.is_private(); }
  // Some task is in a network namespace of ours, and cannot go back.
  bool has_joined() const { return network_.has_joined(); }
  // "vf without isolation: ...", or empty.
  std::string caveat() const;
  Status note_relay(const ProcessIdentity& relay);

  void task_started(unsigned task, TaskOrigin origin);
  void task_ready(unsigned task, TaskFacts facts);
  // The network that a task which has offered its mount namespace is to enter; empty: the node's.
  // `container_option`: by which a plugin will put it into a container; empty: none will, as far as is known.
  Result<NetnsFile> network_of(unsigned task, const std::string& container_option);
  unsigned rank_of(unsigned task) const { return task_[task].origin.rank; }
  const std::vector<NetworkDevice>& devices_of(unsigned task) const { return task_[task].devices; }
  const TaskFacts& facts_of(unsigned task) const { return task_[task].facts; }
  // The PMIx servers that the tasks were told of.
  std::vector<TcpEndpoint> pmix_servers() const;
  bool is_attached(unsigned task) const { return task_[task].attached; }

  // Nothing is written before it is certain that there is enough for the step. In_use: not now, but when
  // other steps have given theirs back. `living`: all that may still come; they are placed too.
  Status place_and_claim(const std::vector<unsigned>& ready, const std::vector<unsigned>& living);
  // Puts interfaces into the networks of these tasks; then they have to be waited for.
  Status make_networks(const std::vector<unsigned>& tasks);
  Status await_carriers();
  // Writes down what the step uses by now, and returns it.
  Result<std::vector<PlacedPort>> note_ports();
  // Mounts the devices of one task. Ended when the task has.
  Status mount(unsigned task);
  // All of that for a task that came after its node was decided, but its devices.
  Status make_network_late(unsigned task);

  // Whether the task shall have a folder (task_folder.hpp) and can: not in a container that a plugin has
  // made.
  bool wants_folder(unsigned task) const;
  // Whether podman's containers would see, of the RDMA devices in /sys, those of another task's network.
  bool shares_sysfs_in_podman() const;
  // Makes it, with these variables for CDI, and returns its path. On an error it is gone again.
  Result<std::string> make_folder(unsigned task, const std::vector<EnvironmentChange>& env);

  // The site's variables that environment_inputs() has not: what their users have set of these is to be
  // asked.
  std::vector<std::string> asks_for() const;

  // What a task's environment is made from; what of it is missing is a line in `notes`.
  EnvironmentInputs environment_of(unsigned task, std::vector<std::string>& notes) const;
  // What the image of the task's container lacks for MPI, a clause each; nothing without a container.
  std::vector<std::string> faults_of_image(unsigned task);
  // What came of inject=providers; empty: it was not asked for, or was not needed.
  std::string about_lending(unsigned task) const;
  // Why a container that the task has started, which shows these RDMA devices, is not what the task is told
  // that it has: one clause, and empty when it is.
  std::string differs_inside(unsigned task, const std::vector<std::string>& devices) const;
  // Who got what and why, a line for each task that was placed.
  std::vector<std::string> choices() const;
  // What whoever looks after the node's ports should know, a line each.
  const std::vector<std::string>& port_notes() const { return assignment_.notes; }

  // As if nobody had asked, but for the networks that tasks are in.
  void undo_attach();
  void quarantine(const std::string& process);
  // Tasks that are in a container which no other step is in.
  std::vector<unsigned> alone_in_container() const;
  // At the end. One line for what could not be given back; then the journal stays for the reaper.
  std::vector<std::string> give_everything_back();

 private:
  struct Task {
    TaskOrigin origin;
    TaskFacts facts;
    bool has_namespace = false;
    std::string container_option;
    std::vector<std::size_t> ports;      // indexes in the inventory, as placed
    std::vector<NetworkDevice> devices;  // in a private network
    bool attached = false;
    std::string choice;
  };

  Status choose_mode(const Request& request);
  Status stay_in_nodes_network();
  Status begin_mode();
  // "rank 3", or the name of the attachment to a container.
  std::string who(const Task& task) const;
  bool must_reach_slurm() const { return facts_.daemon_step || facts_.shell || facts_.by_default; }
  // The RDMA subsystem's mode; false too where the step has not asked.
  bool is_exclusive() const;
  NodeFacts node_facts() const;
  Status place(const std::vector<unsigned>& living);
  Status place_in_nodes_network(const std::vector<unsigned>& living);
  bool gives_whole_devices() const;
  Status note_placed();
  StepPlacement placement(const NodeFacts& node);
  std::vector<PlacedTask> placed_tasks(const std::vector<unsigned>& ids) const;
  bool is_in_container(const std::vector<unsigned>& tasks) const;
  Status read_pkeys();
  Status claim_vfs();
  Result<std::vector<std::string>> step_nodes() const;
  static Result<std::string> node_list_of(const Task& task);
  Status choose_fabric(const std::vector<unsigned>& ready);
  Status check_any_port() const;
  Status check_orders(const std::vector<unsigned>& ready) const;
  Status note_tasks();
  std::vector<StepNetwork::Wish> wishes_of(const std::vector<unsigned>& tasks) const;
  Status make_network(Task& task, unsigned id);
  Status relay_pmix(const Task& task);
  Status mount_own(unsigned task, const std::vector<Port>& ports);
  Status mount_in_container(unsigned task, const std::vector<Port>& ports);
  Status prepare_container(unsigned task, const std::vector<Port>& ports, bool may_show);
  void unmounted(unsigned task);
  ImageNeeds image_needs_of(unsigned task) const;
  std::vector<Port> shown_ports(const Task& task) const;
  std::vector<Port> placed_ports(const Task& task) const;
  std::vector<Port> ports_of(const Task& task) const;
  std::vector<PlacedPort> used_ports() const;
  // Those of all tasks that are in the same network as this one.
  std::vector<Port> ports_beside(const Task& task) const;
  Result<std::string> peers_of(const Task& task) const;

  const StepFacts& facts_;
  Node& node_;
  AttachedTasks& tasks_;
  StateStore& state_;
  std::function<void()> meanwhile_;
  StepJournal journal_;
  StepActions actions_;
  StepNetwork network_;
  StepContainers containers_;
  StepImages images_;

  SiteConfig site_;
  std::vector<EnvironmentRule> rules_;  // of its variables, for this node
  Settings settings_;
  bool require_ = true, network_may_be_private_ = true;
  std::vector<std::string> forced_;
  std::string owner_;  // of claims
  std::optional<Result<bool>> rdma_is_exclusive_;
  const ModeUnit* mode_ = nullptr;  // of settings_.mode
  Inventory inventory_;
  Assignment assignment_;
  std::set<PciAddress> claimed_vfs_;
  std::optional<SiteFabric> site_fabric_;  // that the step uses
  bool shares_for_gpus_ = false;
  std::vector<Task> task_;
};

}  // namespace cib
