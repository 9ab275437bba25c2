// The ports of a node with what was decided about them, for programs.
#pragma once

#include <nlohmann/json.hpp>

#include "container_ib/placement.hpp"

namespace cib::cli {

nlohmann::ordered_json ports_json(const Inventory& node, const Assignment& assignment);

}  // namespace cib::cli
