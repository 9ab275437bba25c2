// Containers that plugins put the step's tasks into: their devices go into the container's mount namespace,
// which other tasks may be in too, of other jobs also, and which may outlive the step.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/step_facts.hpp"
#include "app/step_journal.hpp"
#include "container_ib/world/kernel.hpp"
#include "container_ib/world/node.hpp"
#include "container_ib/world/tasks.hpp"

namespace cib {

class StepContainers {
 public:
  // What it is given lives as long as this.
  StepContainers(const StepFacts& facts, Node& node, AttachedTasks& tasks, Kernel& kernel,
                 StepJournal& journal)
      : facts_(facts), node_(node), tasks_(tasks), kernel_(kernel), journal_(journal) {}

  // Before the devices of these ports are mounted in the container (TaskContainer::id) of that task. Whether
  // this step may show them there; not so when another step's are there and enough for this one, which stay
  // as they are. In_use when they are not enough.
  Result<bool> enter(unsigned task, const std::string& container, const std::vector<Port>& ports);
  // Shows them there, or is content with the other step's.
  Status mount(unsigned task, const std::string& container, const std::vector<Port>& ports, bool umad);
  // After enter(): it was not mounted, and others need not reckon with it.
  void not_entered(unsigned task, const std::string& container);
  // That task's devices are there no more.
  void unmounted(unsigned task);
  bool has(unsigned task) const { return tasks_in_.contains(task); }

  // Of tasks in containers, those in one that no other step is in.
  std::vector<unsigned> alone(const std::map<unsigned, std::string>& containers) const;
  // At the end of the step. The last one that leaves a container takes away what is there.
  void leave();

 private:
  const StepFacts& facts_;
  Node& node_;
  AttachedTasks& tasks_;
  Kernel& kernel_;
  StepJournal& journal_;
  std::map<unsigned, std::string> tasks_in_;                    // with devices there
  std::map<std::string, std::vector<ContainerUse>> others_in_;  // by container, when this step came into it
};

}  // namespace cib
