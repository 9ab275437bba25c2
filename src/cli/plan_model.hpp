// What a picture of a plan shows, before anything decides how: the node's parts with names short enough to
// draw.
#pragma once

#include <string>
#include <vector>

#include "container_ib/comparison.hpp"
#include "container_ib/nearness.hpp"

namespace cib::cli {

struct PlanModel {
  struct Port {      // an eligible one
    std::string id;  // "P0"
    std::string name, pci, numa, rate, connector;
    unsigned tasks = 0;            // that use it
    unsigned connector_tasks = 0;  // that use its connector, by whatever device
    double fill = 0;               // of its connector; 1 is as full as in the fairest distribution
  };
  struct LeftOut {
    std::string name, why_not;
  };
  struct Gpu {
    std::string id;  // "G0"
    std::string name, pci;
    std::vector<Nearness> to_port;
  };
  struct Task {
    std::string id;  // "T0"
    std::string cpus, numa, gpus;
    std::vector<Nearness> to_port;
    std::vector<std::size_t> ports;  // that it uses, best first
    std::string distance;            // of the best, "1.00" is local; empty when unknown
  };
  using Indexes = std::vector<std::size_t>;
  struct NumaNode {
    std::string name, cpus;  // both empty in the package of unknown locality
    Indexes ports, gpus, tasks;
  };
  struct Package {
    std::string name;
    std::vector<NumaNode> numa_nodes;
  };
  struct Rule {
    std::string name;
    Score score;
  };

  std::string summary;  // "2 packages, 8 NUMA nodes, ..."
  std::string plan;     // the hash
  std::vector<Package> packages;
  std::vector<Port> ports;
  std::vector<LeftOut> left_out;
  std::vector<Gpu> gpus;
  std::vector<Task> tasks;
  std::vector<Rule> rules;  // ours first; empty when no comparison was asked for
};

PlanModel make_model(const Inventory& node, const std::vector<LocalTask>& tasks,
                     const Assignment& assignment);

// The same, with what other rules would have done.
PlanModel make_compared_model(const Inventory& node, const std::vector<LocalTask>& tasks,
                              const PlacementOptions& options, const Assignment& assignment);

}  // namespace cib::cli
