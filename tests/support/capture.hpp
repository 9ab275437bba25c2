// Saved trees of /proc and /sys, as hwloc-gather-topology makes them.
#pragma once

#include <fstream>
#include <string>

#include "container_ib/inventory.hpp"
#include "support/temp_tree.hpp"

namespace cib::test {

// Makes the files and links that a manifest names; its first lines say how it is written.
inline void unpack_manifest(const std::string& manifest, const TempTree& tree) {
  std::ifstream lines(manifest);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const auto text = line.find(": "), target = line.find(" -> ");
    if (target < text)
      tree.link(line.substr(0, target), line.substr(target + 4));
    else
      tree.file(line.substr(0, text), line.substr(text + 2) + "\n");
  }
}

inline Result<Inventory> load_capture(const std::string& root) {
  return load_inventory({.kind = InventorySource::Kind::fsroot, .path = root});
}

}  // namespace cib::test
