// Sections of the site's file that may be there several times: [[nodes]], [[fabrics]], [[overlay]],
// [[environment]].
#pragma once

#include <string_view>
#include <vector>

#include "file_errors.hpp"

namespace cib {

// Adds what the section's entries say to `site`; errors as parse_config() has them.
struct EntrySection {
  std::string_view name;
  Status (*read)(const toml::node& node, const FileErrors& errors, SiteConfig& site);
  std::string_view keys;  // of an entry: "name, hca"
};

const std::vector<EntrySection>& entry_sections();

}  // namespace cib
