// What a node is: NUMA nodes, HCA ports, GPUs. Pure data; adapters fill it, core reads it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/cpuset.hpp"

namespace cib {

struct PciAddress {
  std::uint32_t domain = 0;
  std::uint8_t bus = 0, device = 0, function = 0;

  auto operator<=>(const PciAddress&) const = default;
  std::string text() const;  // "0000:21:00.0"
  static Result<PciAddress> parse(std::string_view text);
};

// Four groups of four hexadecimal digits, as GUIDs and halves of GIDs stand in sysfs: "506b:4b03:003c:eee8".
std::optional<std::uint64_t> parse_guid(std::string_view text);
std::string guid_text(std::uint64_t guid);

// IBTA PortInfo:PortState, as in sysfs ports/N/state ("4: ACTIVE").
enum class PortState { unknown = -1, nop = 0, down = 1, init = 2, armed = 3, active = 4, active_defer = 5 };
// IBTA PortInfo:PortPhysicalState, as in sysfs ports/N/phys_state ("5: LinkUp").
enum class PhysState {
  unknown = -1,
  nop = 0,
  sleep = 1,
  polling = 2,
  disabled = 3,
  training = 4,
  link_up = 5,
  recovery = 6,
  phy_test = 7
};
std::string_view port_state_name(PortState state);  // "ACTIVE"
std::string_view phys_state_name(PhysState state);  // "LinkUp"
enum class LinkLayer { unknown, infiniband, ethernet };

// What an entry of a GID table is for, as sysfs gid_attrs/types/N says: InfiniBand and RoCE v1 are one type
// there.
enum class GidType { unknown, ib_or_v1, roce_v2 };

// An entry of a port's GID table, as sysfs writes it: eight groups of four hexadecimal digits.
struct Gid {
  unsigned index = 0;
  std::string text;
  GidType type = GidType::unknown;

  bool operator==(const Gid&) const = default;
};

std::string pkey_text(std::uint16_t pkey);  // "0x8001"
// Whether two P_Keys name the same partition: bit 15 is the membership in it (IBTA vol. 1, 10.9.1).
inline bool same_partition(std::uint16_t a, std::uint16_t b) { return ((a ^ b) & 0x7fff) == 0; }

// One port of one RDMA device. An HCA with two ports is two of these.
struct Port {
  std::string device;                 // "mlx5_0": opaque, differs between nodes of one cluster
  unsigned number = 1;                // 1-based, as in ports/N
  std::optional<PciAddress> pci;      // of the function that carries the device
  std::optional<PciAddress> physfn;   // of the PF, when this is a VF
  std::string driver;                 // "mlx5_core"; empty when unknown
  std::optional<unsigned> uverbs;     // number of its node, /dev/infiniband/uverbsN; live only
  std::string model;                  // PCI vendor and device, "15b3:1021"; empty when unknown
  std::vector<unsigned> numa;         // OS numbers of the NUMA nodes it is local to; empty: locality unknown
  std::vector<std::string> pci_path;  // ids of the bridges above it, host bridge first; empty when unknown
  double pci_gbps = 0;                // speed x width of the PCI link; 0 when unknown

  PortState state = PortState::unknown;
  PhysState phys_state = PhysState::unknown;
  LinkLayer link_layer = LinkLayer::unknown;
  double rate_gbps = 0;  // 0 when unknown
  std::uint32_t lid = 0, sm_lid = 0;
  std::uint64_t node_guid = 0, sys_image_guid = 0, port_guid = 0;  // host byte order; 0 when unknown
  std::optional<std::uint64_t> subnet_prefix;                      // first 64 bits of GID 0
  // By their index, 0 where nothing is set; where the table was asked for.
  std::vector<std::uint16_t> pkeys;
  // What is set; of an Ethernet port always, else where the table was asked for.
  std::vector<Gid> gids;
  // It was read, and what is there is no address: an InfiniBand port without a GUID, or an Ethernet one
  // without any GID.
  bool without_gid = false;
  std::vector<std::string> netdevs;  // names, live only

  bool operator==(const Port&) const = default;
  std::string name() const { return device + ":" + std::to_string(number); }  // "mlx5_0:1", UCX's form
};

// The index of a partition's P_Key in the port's table, be it a full or a limited member; empty when the
// table lacks it.
std::optional<unsigned> pkey_index(const Port& port, std::uint16_t pkey);

// The GID of an Ethernet port that RoCE is to use: v2 before v1, an address that is routed before a
// link-local one, IPv4 before IPv6, the lowest index among equals. Null when there is none.
const Gid* roce_gid(const Port& port);
std::string gid_of_ipv4(std::uint32_t address);  // host byte order; as Gid::text
bool is_ipv4(const Gid& gid);                    // ::ffff:a.b.c.d, as RoCE writes an IPv4 address

// The NUMA nodes that it is local to: "0,1"; empty when unknown.
std::string numa_text(const Port& port);

struct NumaNode {
  unsigned os_index = 0;
  unsigned package = 0;  // hwloc logical index of the package; UINT_MAX when it has none
  CpuSet cpus;           // empty for memory-only nodes (HBM, CXL, GPU memory)

  bool operator==(const NumaNode&) const = default;
};

// The PCI vendors whose GPUs count: NVIDIA, AMD and Intel. Where a node has several, those of the first are
// its GPUs: the library that numbers them knows no others.
inline constexpr std::array<std::uint16_t, 3> gpu_vendors = {0x10de, 0x1002, 0x8086};

// What CUDA, ROCm or Level Zero number as a device, each its own vendor's.
struct Gpu {
  PciAddress pci;
  std::vector<unsigned> numa;
  std::vector<std::string> pci_path;
  std::string name;
  std::string uuid = {};  // "GPU-…", as CUDA_VISIBLE_DEVICES may name it; empty when unknown

  bool operator==(const Gpu&) const = default;
};

// A node. Order of members carries no meaning: placement gives the same answer for any order.
struct Inventory {
  std::vector<NumaNode> numa_nodes;
  std::vector<std::vector<unsigned>>
      distances;  // SLIT in the order of numa_nodes; empty when the machine has none
  std::vector<Port> ports;
  std::vector<Gpu> gpus;
  std::vector<CpuSet> cores;  // in hwloc's logical order

  bool operator==(const Inventory&) const = default;
};

}  // namespace cib
