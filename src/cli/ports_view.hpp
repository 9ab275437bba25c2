// The ports of a node with what was decided about them, for people.
#pragma once

#include <string>
#include <vector>

#include "container_ib/placement.hpp"
#include "table.hpp"

namespace cib::cli {

std::vector<Row> ports_table(const Inventory& node, const Assignment& assignment);

// Names of eligible ports, "mlx5_0:1".
std::vector<std::string> eligible_ports(const Inventory& node, const Assignment& assignment);

std::string link_layer_name(LinkLayer layer);

}  // namespace cib::cli
