// How far a task is from a port: integers, smaller is nearer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

inline constexpr unsigned local_distance = 1000;  // SLIT's 10, times 100

// How many of a task's PUs are in each NUMA node: index in Inventory::numa_nodes -> count, reduced by the
// greatest common divisor so that equal proportions compare equal. Empty: unknown.
using NumaWeights = std::map<std::size_t, unsigned>;

// Where a task is.
struct TaskLocation {
  NumaWeights weights;
  bool everywhere = false;  // all of several NUMA nodes, which is as good as unbound: no port is nearer

  auto operator<=>(const TaskLocation&) const = default;
};

class Distances {
 public:
  explicit Distances(const Inventory& node);

  TaskLocation locate(const CpuSet& mask) const;

  // Mean over the task's NUMA nodes of the SLIT to the port's nearest one, times 100. 0: locality unknown.
  unsigned cpu(const NumaWeights& weights, const Port& port) const;
  // Least over the GPUs; class values of the table in distance.cpp. Negative: unknown.
  int gpu(const std::vector<PciAddress>& gpus, const Port& port) const;

  std::string locality(const NumaWeights& weights, const Port& port) const;

 private:
  unsigned slit(std::size_t from, std::size_t to) const;
  std::vector<std::size_t> nodes_of(const std::vector<unsigned>& os_indexes) const;
  int gpu_class(const Gpu& gpu, const Port& port) const;

  const Inventory& node_;
  std::map<unsigned, std::size_t> by_os_index_;
};

// Fills in the unknown (0) with the median of the known values, so that a port of unknown locality is neither
// preferred nor avoided. All unknown: all equal.
void make_unknown_neutral(std::vector<unsigned>& distances);

}  // namespace cib
