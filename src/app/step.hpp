// One step on one node, as its agent sees it: events in, answers to tasks out. Knows no process, socket or
// file. The states and what happens at each death: doc/adr/0001-processes-of-a-step.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/phases.hpp"
#include "app/step_journal.hpp"
#include "app/step_network.hpp"
#include "app/step_traffic.hpp"
#include "container_ib/config.hpp"
#include "container_ib/placement.hpp"
#include "container_ib/ports/node.hpp"
#include "container_ib/ports/state_store.hpp"
#include "container_ib/ports/tasks.hpp"

namespace cib {

// What slurmstepd says about the step; ids and uid are Slurm's, the option text is the user's.
struct StepFacts {
  std::uint32_t job = 0, step = 0;
  std::uint32_t uid = 0;
  unsigned local_tasks = 0, nodes = 1;
  unsigned node_id = 0;          // this node's number in the step, from 0
  bool daemon_step = false;      // its one task is mpirun's helper (orted, prted, hydra)
  bool shell = false;            // its one task is the batch script or an interactive shell
  bool user_namespaces = false;  // each task starts a container with a user namespace of its own
  std::optional<Error> unfit;    // why the agent cannot do anything here
  std::string node_name;
  std::string option;
  std::string config_path;
  Opened owner;  // the journal's first record, but for what is above
  Phases::Clock::time_point began = Phases::Clock::now();  // when slurmstepd started to start the agent
};

// What a task says about itself in task_init. Hostile: it comes from the user's process.
struct TaskFacts {
  std::string gpus, nics;
  std::map<std::string, std::string> user_variables;
  std::vector<std::string> pmix_servers;  // values of pmix_server_variables(), those that are set
};

class Step {
 public:
  Step(StepFacts facts, Node& node, Tasks& tasks, StateStore& state, Kernel& kernel);

  void prepare();  // reads configuration and node while Slurm still sets the step up
  // Whether the tasks will be in networks of their own, which a PMIx server reaches only through a relay, and
  // what came of starting it.
  bool needs_relay() const { return network_.is_private() && !failure_; }
  void relay_started(Result<ProcessIdentity> process);
  // `rank`: its number in the step, by which users know it. `bound`: its mask is not just slurmstepd's own.
  void task_started(unsigned task, unsigned rank, CpuSet mask, bool bound, TaskProcess process);
  void task_has_namespace(unsigned task);  // answered with its network if may_be_private()
  void task_ready(unsigned task, TaskFacts facts);
  void task_died(unsigned task);
  void task_left(unsigned task);                            // it will not send anything more
  void task_misbehaved(unsigned task, const Error& error);  // a message that no plugin of ours sends
  void deadline_passed();

  // Lines for the user once every task has ended, and only once.
  std::vector<std::string> report();
  // The step is over and slurmstepd said so.
  struct Ending {
    std::vector<std::string> for_user, for_administrator;
  };
  Ending finish();
  // slurmstepd died: what is left of the step is an orphan of a dead step. Lines for the administrator.
  std::vector<std::string> abandoned();

  // How long each part of attaching took, once the tasks are answered; for the administrator.
  std::string timing() const { return "step " + step_name(facts_.job, facts_.step) + ": " + phases_.line(); }

  // Some task has reported and has no answer: call ask_for_patience() now and then.
  bool keeps_tasks_waiting() const;
  void ask_for_patience();

  bool awaits_deadline() const { return first_ready_ && !decided_; }
  unsigned rendezvous_timeout_s() const { return site_.rendezvous_timeout_s; }

  // wait=: decided, but VFs or addresses are missing that other steps have, and nothing was made yet. Call
  // try_again() now and then, and give_up_waiting() after wait_s().
  bool waits_for_vfs() const { return waiting_.has_value(); }
  unsigned wait_s() const { return settings_.wait_s; }
  void try_again();
  void give_up_waiting();

 private:
  enum class Progress { forked, ready, answered, dead };
  struct Task {
    Progress progress = Progress::forked;
    bool has_namespace = false;
    unsigned rank = 0;
    CpuSet mask;
    bool bound = true;
    TaskProcess process;
    TaskFacts facts;
    std::vector<std::size_t> ports;      // indexes in the inventory, as placed
    std::vector<NetworkDevice> devices;  // in a private network
    bool attached = false;
    std::string line;  // for report=full
  };

  Status read_site_and_node();
  Status choose_mode(const Request& request);
  Status begin_mode();
  bool must_reach_slurm() const;
  NodeFacts node_facts() const;
  Status stay_in_nodes_network();
  void decide_when_complete();
  void decide();
  Status place_and_claim();
  Status place_tasks();
  Status note_tasks();
  Status note_ports();
  Status attach_networks();
  Status attach_network(unsigned id, Task& task);
  Status attach_late_network(unsigned id, Task& task);
  Status relay_pmix(const Task& task);
  Status attach(unsigned id, Task& task);
  void answer_all();
  void fail(Error error);
  void answer(unsigned id, Task& task);
  void grant(unsigned id, Task& task);
  Status describe_network(const Task& task, EnvironmentInputs& in) const;
  bool is_talkative() const;
  bool is_worth_telling(const Judgement& judgement) const;
  void take_back();
  bool all_dead() const;
  std::vector<unsigned> ready_tasks() const;
  void turn_away(unsigned id, const Error& error);
  std::vector<Port> placed_ports(const Task& task) const;
  std::vector<Port> ports_of(const Task& task) const;
  std::vector<PlacedPort> used_ports() const;
  std::vector<std::string> node_port_names(const Task& task) const;
  std::vector<std::string> give_everything_back();

  StepFacts facts_;
  Node& node_;
  Tasks& tasks_;
  StateStore& state_;
  StepJournal journal_;
  const ModeUnit* mode_ = nullptr;  // of settings_.mode
  StepNetwork network_;
  StepTraffic traffic_;

  SiteConfig site_;
  Settings settings_;
  std::string owner_;  // of claims
  std::optional<Result<bool>> rdma_is_exclusive_;
  bool require_ = true;
  bool network_may_be_private_ =
      true;  // as the plugin reads the option, which has the tasks wait for an answer
  Inventory inventory_;
  Assignment assignment_;
  std::vector<Task> task_;
  std::optional<Error> failure_;     // why no task of this node is attached
  std::optional<Error> waiting_;     // for what other steps have, and why
  std::vector<std::string> forced_;  // what the site sets instead of the user's values
  bool greeted_ = false;             // what is said once in a step is said
  bool memlock_told_ = false;
  bool first_ready_ = false, decided_ = false, reported_ = false;
  Phases phases_;
};

}  // namespace cib
