// NCCL's description of a machine, which clouds ship for virtual machines that hide where their PCI devices
// are (NCCL_TOPO_FILE; NCCL writes and reads it in src/graph/xml.cc).
#pragma once

#include <cstddef>
#include <string_view>

#include "container_ib/model.hpp"
#include "container_ib/result.hpp"

namespace cib {

inline constexpr std::size_t max_nccl_topology = 1 << 20;  // bytes; NCCL itself reads 32,768 elements

// Whether text that begins so is one, by its first element.
bool is_nccl_topology(std::string_view beginning);

// A machine of its own: the NUMA nodes and CPUs that it names, GPUs, and network devices, of unknown state.
// One that the file gives no name has its PCI address instead, by which no port is used. Every CPU counts as
// a core and every NUMA node as a package, as the file says neither. Nothing in the text can make it read
// another file.
Result<Inventory> parse_nccl_topology(std::string_view text);

// Puts the ports and GPUs of `node` where the description has their PCI addresses: below which bridges, and
// at which NUMA node, if `node` has that. What the description lacks stays where it is.
void locate_by_nccl(const Inventory& description, Inventory& node);

}  // namespace cib
