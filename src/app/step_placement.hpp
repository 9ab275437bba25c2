// Which ports each task of a step gets on its node: what Slurm, containers and other steps leave it of them,
// and what the mode has to give.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/modes/mode_unit.hpp"
#include "app/step_facts.hpp"
#include "container_ib/placement.hpp"
#include "container_ib/world/tasks.hpp"

namespace cib {

// A task as it is known when its node is decided; whoever asks has what it refers to.
struct PlacedTask {
  unsigned id = 0;
  const TaskOrigin& origin;
  const TaskFacts& facts;
};

class StepPlacement {
 public:
  // What the step is; all of it outlives this.
  struct Asked {
    const StepFacts& facts;
    const Settings& settings;
    const SiteConfig& site;
    const ModeUnit& mode;
    const NodeFacts& node_facts;
    std::string owner;                           // claim_owner() of the step
    std::optional<SiteFabric> site_fabric = {};  // that the step uses
    bool has_own_network = false;                // tasks are in network namespaces of the step's own
    bool may_have_had_own_network = false;       // as the plugin reads the option
  };

  StepPlacement(Asked asked, Node& node, AttachedTasks& tasks)
      : asked_(std::move(asked)), node_(node), tasks_(tasks) {}

  // scope=auto: the tasks share what they see where one container has one /dev/infiniband for them, and where
  // they have GPUs, since NCCL's ranks of a node must see the same HCAs (nccl#2428).
  Scope scope(const std::vector<PlacedTask>& ready) const;

  struct Answer {
    Assignment assignment;
    std::map<unsigned, std::vector<std::size_t>> ports;  // of each task, indexes in the inventory
    std::map<unsigned, std::string> choices;             // a line each
  };
  // Errors: unusable when there is no port for some task, or those of the mode (ModeUnit::place).
  Result<Answer> place(const std::vector<PlacedTask>& living, const std::vector<PlacedTask>& all);

 private:
  PlacementOptions options() const;
  std::optional<std::vector<std::string>> shown_in_containers(const std::vector<PlacedTask>& tasks) const;
  std::map<unsigned, std::vector<std::string>> withheld_from(const std::vector<PlacedTask>& tasks);
  Result<std::vector<std::string>> allowed_to(const PlacedTask& task,
                                              const std::vector<std::string>& withheld,
                                              const PlacementOptions& options) const;
  std::vector<PciAddress> gpus_of(const PlacedTask& task) const;
  std::vector<std::size_t> ports_not_withheld(const Assignment& assignment,
                                              const std::vector<std::string>& withheld) const;
  const Inventory& inventory() const { return asked_.node_facts.inventory; }

  Asked asked_;
  Node& node_;
  AttachedTasks& tasks_;
};

}  // namespace cib
