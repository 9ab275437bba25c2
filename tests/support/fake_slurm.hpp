// A slurmstepd of a hundred lines: loads the real plugin, forks real tasks and calls the hooks in the order
// and with the identities of Slurm's mgr.c and task.c. Anyone can be killed at any point.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cib::test {

// Points in the life of a step, in order. A task reaches the first five, slurmstepd the others.
enum class Point {
  task_forked,
  task_has_namespace,  // after task_init_privileged
  task_released,       // before task_init
  task_attached,       // after task_init, before exec
  task_runs,           // after exec
  step_prepared,       // slurmstepd: after init_post_opt, before any fork
  tasks_forked,        // slurmstepd: after the last task_post_fork, no task released yet
  tasks_run,           // slurmstepd: all have exec'ed or ended
};

enum class Victim { nobody, task, agent, stepd };

struct StepPlan {
  std::string plugin;             // path of container_ib.so
  std::vector<std::string> args;  // of the plugstack line
  std::optional<std::string> option;
  unsigned tasks = 4;
  std::uint32_t step = 0;
  unsigned listings = 1;                           // lines of plugstack.conf that name it
  std::map<std::string, std::string> environment;  // of the tasks, when task_init is called
  bool interrupted = false;  // slurmstepd gets signals all the time while it starts the agent
  std::string node_name;     // in slurmstepd's own environment; empty: not there
  Victim victim = Victim::nobody;
  Point when = Point::step_prepared;
  unsigned victim_task = 0;
  std::optional<Point> agent_stops, agent_goes_on;  // points of slurmstepd: SIGSTOP and SIGCONT for the agent
  bool tasks_sleep = false;                         // run for a minute, else end at once
};

// In the output when a hook returns a positive number, followed by its name.
inline constexpr const char* positive_return = "positive return";
// In the output when whom the plan wants to stop, go on or die is not there, or is no process of this step.
inline constexpr const char* nobody_to_signal = "fake slurmstepd: nobody to signal";

struct StepOutcome {
  std::string output;              // what the plugin told the user
  std::vector<int> hook_failures;  // tasks whose task_init or task_init_privileged failed
  std::vector<pid_t> tasks;
  pid_t agent = -1;  // -1: none was started
  std::string help;  // what srun --help has for the option
  bool stepd_was_killed = false;
};

// Runs the step to its end (at most 20 s). Needs root.
StepOutcome run_step(const StepPlan& plan);

}  // namespace cib::test
