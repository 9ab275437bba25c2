// What sysfs says about the RDMA devices of a node, merged over what hwloc found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

struct SysfsOptions {
  bool tables = false;    // read the P_Key and GID tables
  bool complete = false;  // this is the same machine: a device that sysfs lacks does not exist
};

// `root` has class/infiniband, or its sys/ does. A tree without one is a node without RDMA devices when it is
// this machine's, and else an error.
Status merge_sysfs(const std::string& root, const SysfsOptions& options, Inventory& inventory);

// What is set in the P_Key table of a port of the sysfs mounted at `root`, in its order; not_found when there
// is no such port.
Result<std::vector<std::uint16_t>> read_pkeys(const std::string& root, const std::string& device,
                                              unsigned port);

// What is set in the port's GID table; nothing when there is no such port.
std::vector<Gid> read_gids(const std::string& root, const std::string& device, unsigned port);

// The name of the network device that an entry of the port's GID table is of.
std::optional<std::string> netdev_of_gid(const std::string& root, const std::string& device, unsigned port,
                                         unsigned index);

}  // namespace cib
