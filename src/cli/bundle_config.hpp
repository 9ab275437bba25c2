// The config.json of an OCI bundle (runtime-spec, config.md): what of it decides, and it with other mounts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "container_ib/bundle.hpp"

namespace cib::cli {

// JSON as its standard has it, nested no deeper than any configuration is; an error names `file`.
Result<nlohmann::ordered_json> parse_json(const std::string& text, const std::string& file);

// What is missing reads as empty; what is there and of another type is an error.
Result<Bundle> bundle_of(const nlohmann::ordered_json& config, const std::string& file);

// root.path, as it stands there.
Result<std::string> root_of(const nlohmann::ordered_json& config, const std::string& file);

// Of a config.json that bundle_of() has read.
void apply(const std::vector<BundleEdit>& edits, nlohmann::ordered_json& config);

}  // namespace cib::cli
