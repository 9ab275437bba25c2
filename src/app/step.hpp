// One step on one node, as its agent sees it: events in, answers to tasks out. Knows no process, socket or
// file. The states and what happens at each death: doc/adr/0001-processes-of-a-step.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/phases.hpp"
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
  bool daemon_step = false;      // its one task is mpirun's helper (orted, prted, hydra)
  bool user_namespaces = false;  // each task starts a container with a user namespace of its own
  std::string node_name;
  std::string option;
  std::string config_path;
  std::map<std::string, std::string>
      owner;  // fields of the journal's first record: who must be dead before reaping
  Phases::Clock::time_point began = Phases::Clock::now();  // when slurmstepd started to start the agent
};

// What a task says about itself in task_init. Hostile: it comes from the user's process.
struct TaskFacts {
  std::string gpus, nics;
  std::map<std::string, std::string> user_variables;
};

class Step {
 public:
  Step(StepFacts facts, Node& node, Tasks& tasks, StateStore& state);

  void prepare();  // reads configuration and node while Slurm still sets the step up
  void task_started(unsigned task, CpuSet mask, std::map<std::string, std::string> process);
  void task_has_namespace(unsigned task);
  void task_ready(unsigned task, TaskFacts facts);
  void task_died(unsigned task);
  void task_left(unsigned task);                            // it will not send anything more
  void task_misbehaved(unsigned task, const Error& error);  // a message that no plugin of ours sends
  void deadline_passed();

  // Lines for the user once every task has ended, and only once.
  std::vector<std::string> report();
  // The step is over and slurmstepd said so. Lines for the user.
  std::vector<std::string> finish();
  // slurmstepd died: what is left of the step is an orphan of a dead step. Lines for the administrator.
  std::vector<std::string> abandoned();

  // How long each part of attaching took, once the tasks are answered; for the administrator.
  std::string timing() const { return "step " + step_name(facts_.job, facts_.step) + ": " + phases_.line(); }

  bool awaits_deadline() const { return first_ready_ && !decided_; }
  unsigned rendezvous_timeout_s() const { return site_.rendezvous_timeout_s; }

 private:
  enum class Progress { forked, ready, answered, dead };
  struct Task {
    Progress progress = Progress::forked;
    bool has_namespace = false;
    CpuSet mask;
    std::map<std::string, std::string> process;
    TaskFacts facts;
    std::vector<std::size_t> ports;
    bool attached = false;
    std::string line;  // for report=full
  };

  Status read_site_and_node();
  void decide_when_complete();
  void decide();
  Status place_tasks();
  Status open_journal();
  Status attach(unsigned id, Task& task);
  Status record(Mark mark, const std::string& verb, std::map<std::string, std::string> fields = {});
  void fail(Error error);
  void answer(unsigned id, Task& task);
  void grant(unsigned id, Task& task);
  void take_back();
  bool all_dead() const;
  std::vector<Port> ports_of(const Task& task) const;
  std::vector<Port> used_ports() const;
  std::vector<std::string> eligible_names() const;
  void close_journal();

  StepFacts facts_;
  Node& node_;
  Tasks& tasks_;
  StateStore& state_;

  SiteConfig site_;
  Settings settings_;
  bool require_ = true;
  Inventory inventory_;
  Assignment assignment_;
  std::vector<Task> task_;
  std::optional<Error> failure_;  // why no task of this node is attached
  std::optional<NodeCounters> before_;
  bool shared_ = false;
  bool first_ready_ = false, decided_ = false, reported_ = false, journal_open_ = false;
  std::uint32_t seq_ = 0;
  Phases phases_;
};

}  // namespace cib
