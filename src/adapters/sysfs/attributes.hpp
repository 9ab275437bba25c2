// The text of sysfs attributes of RDMA devices as values. Anything unexpected is unknown, never a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "container_ib/model.hpp"

namespace cib {

PortState parse_state(std::string_view text);                    // "4: ACTIVE"
PhysState parse_phys_state(std::string_view text);               // "5: LinkUp"
LinkLayer parse_link_layer(std::string_view text);               // "InfiniBand"
GidType parse_gid_type(std::string_view text);                   // "RoCE v2"
double parse_rate(std::string_view text);                        // "56 Gb/sec (4X FDR)" -> 56; 0: unknown
std::uint32_t parse_lid(std::string_view text);                  // "0x3a4"; 0: none
std::optional<unsigned> parse_numa_node(std::string_view text);  // "-1" is unknown, and not node 0
// Usable speed of a PCIe link in Gb/s from "16.0 GT/s PCIe" and "16"; 0: unknown.
double parse_pci_speed(std::string_view speed, std::string_view width);

}  // namespace cib
