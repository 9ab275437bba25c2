// How far a task is from a port: integers, smaller is nearer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "container_ib/model.hpp"
#include "container_ib/nearness.hpp"

namespace cib {

inline constexpr unsigned local_distance = 1000;  // SLIT's 10, times 100

// How many of a task's PUs are in each NUMA node: index in Inventory::numa_nodes and count, reduced by the
// greatest common divisor so that equal proportions compare equal. Empty: unknown.
using NumaWeights = std::vector<std::pair<std::size_t, unsigned>>;

// Where a task is.
struct TaskLocation {
  NumaWeights weights;
  bool unbound = false;     // it has no mask, or nothing chose it and it is of all NUMA nodes
  bool everywhere = false;  // all of several NUMA nodes, which is as good as unbound: no port is nearer

  auto operator<=>(const TaskLocation&) const = default;
};

struct PortDistance {
  // Mean over the task's NUMA nodes of the SLIT to the port's nearest one, times 100. A port of unknown
  // locality gets the median of the others, so that it is neither preferred nor avoided.
  unsigned cpu = 0;
  unsigned weight = 0;  // what placement counts: GPUs first, CPUs decide among equals
};

// From tasks to `ports`, which must outlive this as `node` must.
class Distances {
 public:
  Distances(const Inventory& node, const std::vector<Port>& ports);

  TaskLocation locate(const CpuSet& mask, bool bound) const;
  // To each port; `gpus` are the task's, empty when they do not count.
  std::vector<PortDistance> to_ports(const TaskLocation& location, const std::vector<PciAddress>& gpus) const;
  // By the CPUs alone: the same NUMA node, package, another, or unknown.
  Nearness locality(const NumaWeights& weights, std::size_t port) const;
  Nearness nearness_to_gpu(const Gpu& gpu, std::size_t port) const;

 private:
  using Indexes = std::vector<std::size_t>;  // of Inventory::numa_nodes

  unsigned slit(std::size_t from, std::size_t to) const;
  unsigned mean_slit(const NumaWeights& weights, const Indexes& nodes) const;  // 0: unknown
  Indexes nodes_of(const std::vector<unsigned>& os_indexes) const;
  std::optional<unsigned> to_gpus(const std::vector<PciAddress>& gpus, std::size_t port) const;

  const Inventory& node_;
  const std::vector<Port>& ports_;
  std::map<unsigned, std::size_t> by_os_index_;
  std::vector<Indexes> places_;          // the different sets of NUMA nodes that ports are local to
  std::vector<std::size_t> port_place_;  // per port, an index in places_
};

}  // namespace cib
