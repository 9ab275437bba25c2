// A step of four tasks, two a NUMA node, on a node in memory.
#pragma once

#include <cstdint>

#include "app/step.hpp"
#include "support/fake_node.hpp"

namespace cib::test {

constexpr unsigned four_tasks = 4;

inline StepFacts facts(const std::string& option = "verbs") {
  StepFacts f;
  f.job = 17;
  f.step = 0;
  f.uid = 1000;
  f.local_tasks = four_tasks;
  f.nodes = 2;
  f.node_name = "n0";
  f.option = option;
  f.owner = opened_by("boot");
  return f;
}

// Two PUs a task: tasks 0 and 1 on NUMA node 0, tasks 2 and 3 on NUMA node 1.
inline CpuSet mask_of(unsigned task) { return CpuSet({std::uint64_t{3} << (2 * task)}); }

// Of a cyclic distribution over two nodes.
inline unsigned rank_of(unsigned task) { return 2 * task; }

// What Slurm does in this order: forks all, makes their namespaces, binds all, then releases them into
// task_init.
inline void fork_tasks(Step& step, bool bound = true, const std::string& container_option = "") {
  step.prepare();
  for (unsigned id = 0; id < four_tasks; ++id) step.task_has_namespace(id, container_option);
  for (unsigned id = 0; id < four_tasks; ++id)
    step.task_started(id, {.rank = rank_of(id),
                           .mask = bound ? mask_of(id) : CpuSet({0xff}),
                           .bound = bound,
                           .process = {{std::to_string(1000 + id), "7"}}});
}

inline void release_tasks(Step& step) {
  for (unsigned id = 0; id < four_tasks; ++id) step.task_ready(id, {});
}

// All of that but prepare(), for a step of one task.
inline void run_only_task(Step& step) {
  step.task_has_namespace(0);
  step.task_started(0, {.rank = rank_of(0), .mask = mask_of(0), .process = {{"1000", ""}}});
  step.task_ready(0, {});
}

}  // namespace cib::test
