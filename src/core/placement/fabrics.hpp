// Which ports can reach each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

// Networks of different kinds never reach each other, and neither do the subnets of InfiniBand. Of Ethernet
// and EFA nothing on a node tells that there are several.
struct Fabric {
  enum class Kind { infiniband, ethernet, efa };
  Kind kind = Kind::infiniband;
  std::uint64_t prefix = 0;
  std::uint32_t sm_lid = 0;  // 0: the prefix alone tells it from the others
  unsigned part = 0;         // counts those that only a LID given twice tells apart

  auto operator<=>(const Fabric&) const = default;
};

Fabric::Kind kind_of(const Port& port);
std::string_view kind_name(Fabric::Kind kind);  // "InfiniBand"

// Of each port, in their order; those that do not `count` are told apart by their prefix alone. `physical`
// are the names of their connectors.
//
// All subnets that nobody has configured have the same prefix (IBTA vol. 1, 4.1.1), so two more things prove
// two subnets: ports that know different subnet managers, since the active one is the same for all ports of a
// subnet, and two connectors with the same LID, which is unique in a subnet (4.1.3). A description that does
// not know the manager of a port (hwloc's) is no proof: its LIDs may have been made up or made equal.
// Neither proves anything by being absent: each subnet's manager may be at LID 1.
std::vector<Fabric> fabrics_of(const std::vector<Port>& ports, const std::vector<std::string>& physical,
                               const std::vector<bool>& counts);

// "subnet prefix fe80:0000:0000:0000, subnet manager at LID 5".
std::string fabric_text(const Fabric& fabric);

}  // namespace cib
