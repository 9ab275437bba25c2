// The ports of a node with what was decided about them, for people and for programs.
#pragma once

#include <nlohmann/json.hpp>

#include "container_ib/placement.hpp"
#include "table.hpp"

namespace cib::cli {

nlohmann::ordered_json ports_json(const Inventory& node, const Assignment& assignment);
std::vector<Row> ports_table(const Inventory& node, const Assignment& assignment);

// Names of eligible ports, "mlx5_0:1".
std::vector<std::string> eligible_ports(const Inventory& node, const Assignment& assignment);

// "0,1"
std::string numa_text(const Port& port);

// JSON text that is valid whatever the names in it are.
std::string dump(const nlohmann::ordered_json& json);

}  // namespace cib::cli
