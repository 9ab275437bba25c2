// Tasks that are alike for placement, so that the solver sees few classes instead of many tasks.
#pragma once

#include <vector>

#include "container_ib/placement.hpp"
#include "distance.hpp"

namespace cib {

struct TaskClass {
  TaskLocation location;
  std::vector<PciAddress> gpus;            // sorted
  std::vector<std::string> allowed_ports;  // by name, sorted; empty: all
  std::vector<std::size_t> tasks;          // indexes, ascending

  // Nothing says where they run: any port may be as near as another.
  bool anywhere() const { return location.unbound && gpus.empty(); }
  bool allows(const Port& port) const;
};

// In the order of their first task. `tasks` is sorted by id; their allowed_nics are names of ports by now.
std::vector<TaskClass> task_classes(const Distances& distances, const std::vector<LocalTask>& tasks,
                                    bool use_gpus);

}  // namespace cib
