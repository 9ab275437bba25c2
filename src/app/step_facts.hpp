// What others say of a step and its tasks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/phases.hpp"
#include "container_ib/journal.hpp"
#include "container_ib/world/tasks.hpp"

namespace cib {

// What slurmstepd says about the step; ids and uid are Slurm's, the option text is the user's.
struct StepFacts {
  std::uint32_t job = 0, step = 0;
  std::uint32_t uid = 0;
  unsigned local_tasks = 0, nodes = 1;
  unsigned node_id = 0;        // this node's number in the step, from 0
  bool daemon_step = false;    // its one task is mpirun's helper (orted, prted, hydra)
  bool shell = false;          // its one task is the batch script or an interactive shell
  bool by_default = false;     // nobody asked but the site: nothing is refused, and next to nothing is said
  bool engine = false;         // each task starts a container
  bool reads_folder = false;   // by an engine that reads its folder (task_folder.hpp)
  std::optional<Error> unfit;  // why the agent cannot do anything here
  std::string node_name;
  std::string option;
  std::string config_path;
  Opened owner;  // the journal's first record, but for what is above
  Phases::Clock::time_point began = Phases::Clock::now();  // when slurmstepd started to start the agent

  // Empty: it is a step. Else the process of a container that it is attached to, in place of one.
  struct Container {
    ProcessIdentity process;
    std::optional<Error> no_network = {};  // why its network can get no interface
  };
  std::optional<Container> container;

  std::string name() const {  // "17.0", "pid-4711"
    return container ? container_attachment(container->process.pid) : step_name(job, step);
  }
};

// What slurmstepd says about a task. `rank`: its number in the step, by which users know it.
struct TaskOrigin {
  unsigned rank = 0;
  CpuSet mask = {};
  bool bound = true;  // the mask is not just slurmstepd's own
  TaskProcess process = {};
};

// What a task says about itself in task_init. Hostile: it comes from the user's process.
struct TaskFacts {
  std::string gpus, nics;
  TaskContainer container;      // as the agent found it
  bool user_namespace = false;  // it starts a container that may have a user namespace of its own
  std::map<std::string, std::string> user_variables;
  std::vector<std::string> pmix_servers;  // values of pmix_server_variables(), those that are set
};

}  // namespace cib
