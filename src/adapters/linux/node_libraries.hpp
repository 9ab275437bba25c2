// This node's own rdma-core, to be shown in containers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/lending.hpp"
#include "container_ib/result.hpp"

namespace cib {

struct NodeLibraries {
  LentLibraries lent;
  std::string glibc;                  // the oldest release that all of them can be loaded with
  std::vector<std::string> contents;  // of lent.files
};

// libibverbs and librdmacm, these providers and the libraries that they are linked with. not_found when this
// node has no libibverbs, or not one of the providers.
Result<NodeLibraries> read_node_libraries(const std::vector<std::string>& providers);

// A file system with copies of them, read-only, attached nowhere yet; it can be mounted at lent_folder.
Result<UniqueFd> make_lent_mount(const NodeLibraries& libraries);

}  // namespace cib
