// What the agent reads of the node. Nothing here changes anything.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "container_ib/action.hpp"
#include "container_ib/config.hpp"
#include "container_ib/endpoint.hpp"
#include "container_ib/model.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Bytes since some fixed moment in the past; only differences mean something.
struct NodeCounters {
  std::uint64_t verbs_sent = 0, verbs_received = 0;  // sum over the asked ports
  std::uint64_t tcp_sent = 0, tcp_received = 0;      // sum over all network devices but lo and IPoIB
  std::uint64_t ipoib_sent = 0, ipoib_received = 0;  // sum over the ports' IPoIB devices; part of verbs_*
  // The same of the node's own IPoIB devices, where the tasks are not in its network; part of verbs_* too.
  std::uint64_t node_ipoib_sent = 0, node_ipoib_received = 0;
};

// A port that a task uses, and where it is: empty for the node's own network namespace.
struct PlacedPort {
  Port port;
  NetnsFile netns = {};
};

// A VF that nobody has: its devices are on the node, and no step has claimed it.
struct FreeVf {
  VfIdentity identity;  // without an owner
  std::string netdev, rdma;
  VfSettings settings;
  bool has_guids = false;  // without which it is of no use
};

// An HCA that a step may have as a whole: one function with one port and one interface. Not one whose
// interface the node's routes go by, but for those that its addresses make.
struct WholeDevice {
  std::string netdev, rdma;
  std::vector<std::string> addresses;  // of the interface, of more than link scope: "10.20.0.1/16"
  unsigned mtu = 0;                    // bytes
  bool up = false;
};

struct VfsOfPf {
  std::vector<FreeVf> free;
  unsigned claimed = 0;  // that steps have, and will give back
};

// A step that runs, and what it has mounted in a container: "mlx5_0:1,mlx5_1:1".
struct ContainerUse {
  std::string step, ports;
};

// Who can have moved bytes on a step's ports, besides the kernel itself.
struct RdmaUser {
  std::string process;                    // "pid 4711 (ib_write_bw)"; empty: the kernel does not name it
  std::string step;                       // "17.0", or "pid-4711" of an attachment; empty: of none
  std::optional<std::uint32_t> uid = {};  // of the process; empty: nobody could look
  std::string did;                        // "had queue pairs on mlx5_0:1", "had mlx5_0 in use"
};

struct RdmaUsers {
  bool own = false;  // a process of the step itself
  std::vector<RdmaUser> others;
};

class Node {
 public:
  virtual ~Node() = default;
  virtual Result<SiteConfig> site_config(const std::string& path) = 0;
  virtual Result<Inventory> inventory(const SiteConfig& site) = 0;
  // With ports in namespaces of their own the network devices of those are summed, and the node's are not.
  virtual Result<NodeCounters> counters(const std::vector<PlacedPort>& ports) = 0;

  // Who has protection domains of the ports' devices now, without which there are no queue pairs, and if it
  // is not `step`, what else the kernel tells of it. Queue pairs that mlx5 makes by DEVX are in no list, so
  // there a protection domain is enough. Of a process that ends meanwhile nothing is told, and nothing of
  // what the kernel has itself (IPoIB, file systems).
  virtual Result<RdmaUsers> rdma_users(const std::vector<PlacedPort>& ports, const std::string& step) = 0;

  // Whether an RDMA device belongs to one network namespace, instead of to all of them.
  virtual Result<bool> rdma_is_exclusive() = 0;
  virtual Result<VfsOfPf> vfs_of(const Port& pf) = 0;
  // Errors: in_use when another step, or a process of none, uses the port now, unusable when it is no such
  // device, with the reason.
  virtual Result<WholeDevice> whole_device(const Port& port, const std::string& step) = 0;
  // What is set in the port's table, in its order.
  virtual Result<std::vector<std::uint16_t>> pkeys(const Port& port) = 0;
  // What steps have claimed: by name, the owner as claim_owner() made it.
  virtual Result<std::map<std::string, std::string>> claims() = 0;
  // How many connections to these endpoints of the node's there are, or were in the last minute.
  virtual Result<unsigned> connections_to(const std::vector<TcpEndpoint>& endpoints) = 0;
  // Who else but `step` is in that container (TaskContainer::id). Holds as long as the caller has the turn at
  // claiming.
  virtual Result<std::vector<ContainerUse>> others_in_container(const std::string& container,
                                                                const std::string& step) = 0;
  // The name of the function's RDMA device where it is now.
  virtual Result<std::string> rdma_device(const PciAddress& pci, const NetnsFile& netns) = 0;
  // The names of all network devices in that namespace.
  virtual Result<std::vector<std::string>> netdevs_in(const NetnsFile& netns) = 0;
  // The node's own interface that has this IPv4 address, "10.20.0.1"; not_found when none has.
  virtual Result<std::string> netdev_with(const std::string& address) = 0;
  // The Ethernet interface on the node that a RoCE port sends by: of ports that are bonded the bond.
  virtual Result<std::string> netdev_of(const Port& port) = 0;
  // The entry of a RoCE port's GID table that is of this address ("10.40.0.1") and for RoCE v2, which the
  // kernel makes some time after the address. `netns`: the namespace that the port's device is in; empty: the
  // node's, as in the RDMA subsystem's shared mode. Timed_out when there is none by then.
  virtual Result<Gid> await_gid(const Port& port, const NetnsFile& netns, const std::string& address,
                                int timeout_ms) = 0;
  // Waits until the interface in that namespace has a carrier; timed_out when it has none by then.
  virtual Status await_carrier(const NetnsFile& netns, const std::string& netdev, int timeout_ms) = 0;
};

}  // namespace cib
