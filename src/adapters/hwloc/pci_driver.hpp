// The Linux driver of an RDMA device where no sysfs says it: topology files from other machines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cib {

// By PCI vendor and device number, else by the kernel's default device names; empty when neither says it.
std::string guess_driver(std::uint16_t vendor, std::uint16_t device, std::string_view name);

}  // namespace cib
