// Which ports may serve MPI at all, and why the others may not.
#pragma once

#include <string>
#include <vector>

#include "container_ib/placement.hpp"
#include "fabrics.hpp"

namespace cib {

// A rate that can be computed with: 0 when unknown or absurd.
double usable_rate(const Port& port);

// Of each port in the order of `ports`.
struct Eligibility {
  std::vector<std::string> reasons;  // against it, one; empty when it is eligible
  std::vector<std::string> remarks;  // what is odd about it, be it eligible or not; mostly empty
  // Tasks need a port in each of the fabrics of the eligible ones. Those that the step uses as one are alike.
  std::vector<Fabric> fabrics;
  std::vector<std::string> notes;  // on all of them, a line each
};

// `ports` is sorted, `physical` is from connectors_of().
Eligibility judge_ports(const std::vector<Port>& ports, const std::vector<std::string>& physical,
                        const PlacementOptions& options);

}  // namespace cib
