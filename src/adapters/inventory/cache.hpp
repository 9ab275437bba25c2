// This machine's structure between steps.
#pragma once

#include <optional>
#include <string>

#include "container_ib/model.hpp"

namespace cib {

// Changes whenever the structure could have: boot, CPUs, NUMA nodes, PCI and RDMA devices.
std::string machine_fingerprint();

// Nothing when the file is missing, of another fingerprint, not ours alone to write, or broken.
std::optional<Inventory> read_cache(const std::string& path, const std::string& fingerprint);

// Replaces the file at once or not at all. A cache that cannot be written is no error.
void write_cache(const std::string& path, const std::string& fingerprint, const Inventory& inventory);

}  // namespace cib
