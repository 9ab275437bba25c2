// Which task gets a VF of which PF, decided before anything is claimed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "container_ib/placement.hpp"

namespace cib {

// The VFs that the PFs of a node have for a step.
struct VfCapacity {
  std::map<PciAddress, unsigned> free, claimed;  // the second: that other steps have, and will give back
  std::map<PciAddress, std::string> why_none;
  unsigned of_user = 0;  // of the claimed ones, the step's user's own
  // They are no VFs but the devices themselves, of which each has one to give.
  bool whole_devices = false;
};

// Errors: in_use when there will be enough once other steps have given some back, denied when the site allows
// fewer, else unusable. With rails=auto a task has one VF where there are not enough for more.
Result<Assignment> place_on_vfs(const std::string& node_name, const Inventory& node,
                                const std::vector<LocalTask>& tasks, PlacementOptions options,
                                const VfCapacity& capacity, const VfPolicy& policy);

}  // namespace cib
