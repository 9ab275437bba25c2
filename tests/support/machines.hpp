// Topologies of real machines, which are not part of the project. Tests that want them are skipped by name
// where they are not.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "container_ib/inventory.hpp"
#include "support/paths.hpp"

namespace cib::test {

// $CIB_TOPOLOGIES, or ../shared/topologies beside the source tree.
inline std::string machines_directory() {
  const char* directory = std::getenv("CIB_TOPOLOGIES");
  return directory != nullptr ? directory : in_checkout("../shared/topologies");
}

inline std::string machine_file(const std::string& name) { return machines_directory() + "/" + name; }

inline bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

inline Result<Inventory> load_xml(const std::string& path) {
  return load_inventory({.kind = InventorySource::Kind::xml, .path = path});
}

}  // namespace cib::test

// Ends the test with a reason when the machine's file is not there.
#define CIB_NEEDS_MACHINE(name)                          \
  if (!cib::test::exists(cib::test::machine_file(name))) \
  GTEST_SKIP() << "no " << name << " in " << cib::test::machines_directory() << " (CIB_TOPOLOGIES)"
