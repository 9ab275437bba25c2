// What several commands write for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "container_ib/placement.hpp"

namespace cib::cli {

// JSON text that is valid whatever the names in it are.
std::string dump(const nlohmann::ordered_json& json);

// The ports of a node with what was decided about them.
nlohmann::ordered_json ports_json(const Inventory& node, const Assignment& assignment);

}  // namespace cib::cli
