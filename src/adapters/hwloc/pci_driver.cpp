#include "pci_driver.hpp"

#include <array>

namespace cib {

namespace {

struct PciRange {
  std::uint16_t vendor, first, last;
  std::string_view driver;
};

// From the device tables of the Linux drivers; Mellanox numbers its generations in ascending order.
constexpr std::array pci_ranges = {
    PciRange{0x15b3, 0x1002, 0x1010, "mlx4_core"},   PciRange{0x15b3, 0x6340, 0x676e, "mlx4_core"},
    PciRange{0x15b3, 0x1011, 0x10ff, "mlx5_core"},   PciRange{0x15b3, 0xa2d0, 0xa2ff, "mlx5_core"},
    PciRange{0x8086, 0x24f0, 0x24f1, "hfi1"},        PciRange{0x1077, 0x7220, 0x7322, "ib_qib"},
    PciRange{0x1fc1, 0x0010, 0x0010, "ib_qib"},      PciRange{0x1d0f, 0xefa0, 0xefaf, "efa"},
    PciRange{0x1137, 0x0000, 0xffff, "usnic_verbs"},
};

struct NamePrefix {
  std::string_view prefix, driver;
};

constexpr std::array name_prefixes = {
    NamePrefix{"mlx5_", "mlx5_core"}, NamePrefix{"mlx4_", "mlx4_core"}, NamePrefix{"hfi1_", "hfi1"},
    NamePrefix{"qib", "ib_qib"},      NamePrefix{"efa_", "efa"},        NamePrefix{"usnic_", "usnic_verbs"},
    NamePrefix{"rxe", "rdma_rxe"},    NamePrefix{"siw", "siw"},
};

}  // namespace

std::string guess_driver(std::uint16_t vendor, std::uint16_t device, std::string_view name) {
  for (const auto& range : pci_ranges)
    if (vendor == range.vendor && device >= range.first && device <= range.last)
      return std::string(range.driver);
  if (vendor != 0) return {};
  for (const auto& [prefix, driver] : name_prefixes)
    if (name.starts_with(prefix)) return std::string(driver);
  return {};
}

}  // namespace cib
