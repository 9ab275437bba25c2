// A node's HCAs, or those of one task, for container engines that read CDI specifications.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/config.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/placement.hpp"

namespace cib {

inline constexpr std::string_view cdi_kind = "container-ib.org/hca";
inline constexpr std::string_view cdi_all = "all";  // the device that is all of them

// A network device that the engine moves into the container, and its name there.
struct CdiNetdev {
  std::string host, name;

  bool operator==(const CdiNetdev&) const = default;
};
// "ib0" and "eth0" of "ib0:eth0".
Result<CdiNetdev> parse_cdi_netdev(std::string_view text);

struct CdiQuestion {
  Settings settings;
  Inventory node;
  Assignment assignment;
  std::vector<EnvironmentRule> rules;                     // of the site's file, for this node
  std::vector<std::size_t> ports;                         // whose HCAs are told of, in this order
  std::map<std::string, std::vector<std::string>> nodes;  // in /dev/infiniband, of each RDMA device
  std::vector<std::string> shared_nodes;                  // of all of them: rdma_cm
  std::vector<CdiNetdev> netdevs;                         // of `all`
};

struct CdiDevice {
  std::string name;
  std::vector<EnvironmentChange> env;
  std::vector<std::string> mounts;  // paths, the same inside
  std::vector<CdiNetdev> netdevs;
};

struct CdiSpecification {
  std::string version;  // the lowest that has what is in it
  std::vector<CdiDevice> devices;
};

// How each path is mounted. What the host's mount has of these is locked in a user namespace, where a mount
// that would lack it is refused.
inline constexpr const char* cdi_mount_options[] = {"bind", "ro", "nosuid", "noexec", "rprivate"};

// Mounts and not device nodes: rootless podman ignores the hostPath of a node.
Result<CdiSpecification> cdi_specification(const CdiQuestion& question);

// The ports of a list, "mlx5_0:1,mlx5_1:1", which must be eligible.
Result<std::vector<std::size_t>> ports_of_list(std::string_view list, const Inventory& node,
                                               const Assignment& assignment);

}  // namespace cib
