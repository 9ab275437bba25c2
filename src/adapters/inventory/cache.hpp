// This machine's structure between steps.
#pragma once

#include <optional>
#include <string>

#include "container_ib/model.hpp"

namespace cib {

// Changes whenever the structure could have: boot, CPUs, NUMA nodes, PCI and RDMA devices.
std::string machine_fingerprint();

// From the file "inventory" in `directory`. Nothing when it is missing, of another fingerprint or broken, or
// when others than this process' user could have written it. Never through a symbolic link.
std::optional<Inventory> read_cache(const std::string& directory, const std::string& fingerprint);

// Makes the directory if need be and replaces the file at once or not at all. A cache that cannot be written
// is no error.
void write_cache(const std::string& directory, const std::string& fingerprint, const Inventory& inventory);

}  // namespace cib
