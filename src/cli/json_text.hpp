#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cib::cli {

// JSON text that is valid whatever the names in it are.
std::string dump(const nlohmann::ordered_json& json);

}  // namespace cib::cli
