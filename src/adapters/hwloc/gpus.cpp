#include "gpus.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace cib {

namespace {

constexpr std::uint16_t nvidia = gpu_vendors[0], amd = gpu_vendors[1], intel = gpu_vendors[2];
constexpr std::uint16_t vga = 0x0300;  // PCI class codes: VGA-compatible display controller
constexpr unsigned display = 0x03, accelerator = 0x12;

// RN50 and ES1000, AMD's chips for the consoles of servers, which ROCm does not know.
bool is_server_console(const PciDevices::Attributes& pci) {
  return pci.vendor_id == amd && (pci.device_id == 0x515e || pci.device_id == 0x5969);
}

// What the processor draws with itself.
bool is_integrated(const PciDevices::Attributes& pci) {
  return pci.vendor_id == intel && pci.class_id == vga && pci.domain == 0 && pci.bus == 0;
}

bool may_be_gpu(const PciDevices::Attributes& pci) {
  const unsigned base_class = pci.class_id >> 8;
  return (base_class == display || base_class == accelerator) && !is_server_console(pci) &&
         !is_integrated(pci);
}

// "cuda0": what a library, or the one by which the machine was described, calls it.
std::string library_name(hwloc_obj_t pci) {
  std::string name;
  for (hwloc_obj_t child = pci->io_first_child; child != nullptr; child = child->next_sibling) {
    const std::string_view text = child->name != nullptr ? child->name : "";
    for (const std::string_view prefix : {"nvml", "cuda", "rsmi", "ze"})
      if (name.empty() && text.starts_with(prefix)) name = text;
  }
  return name;
}

std::string uuid_of(hwloc_obj_t pci) {
  for (hwloc_obj_t child = pci->io_first_child; child != nullptr; child = child->next_sibling)
    if (const char* uuid = hwloc_obj_get_info_by_name(child, "NVIDIAUUID")) return uuid;
  return {};
}

struct Candidate {
  Gpu gpu;
  bool draws = false;  // as the first of its class does: a VGA
};

std::vector<Candidate> of_vendor(hwloc_topology_t topology, const PciDevices& devices, std::uint16_t vendor) {
  std::vector<Candidate> found;
  for (hwloc_obj_t pci = nullptr; (pci = hwloc_get_next_pcidev(topology, pci)) != nullptr;) {
    const auto& attributes = pci->attr->pcidev;
    if (attributes.vendor_id != vendor || !may_be_gpu(attributes)) continue;
    found.push_back({{PciDevices::address_of(attributes), devices.numa_of(pci), PciDevices::path_of(pci),
                      library_name(pci), uuid_of(pci)},
                     attributes.class_id == vga});
  }
  return found;
}

}  // namespace

std::vector<Gpu> read_gpus(hwloc_topology_t topology, const PciDevices& devices) {
  for (const std::uint16_t vendor : gpu_vendors) {
    auto found = of_vendor(topology, devices, vendor);
    // Beside accelerators AMD's and Intel's VGA is the screen's. CUDA numbers whatever NVIDIA has made.
    const bool has_accelerator =
        std::any_of(found.begin(), found.end(), [](const Candidate& one) { return !one.draws; });
    if (vendor != nvidia && has_accelerator)
      std::erase_if(found, [](const Candidate& one) { return one.draws; });
    if (found.empty()) continue;
    std::vector<Gpu> gpus;
    for (Candidate& one : found) gpus.push_back(std::move(one.gpu));
    std::sort(gpus.begin(), gpus.end(), [](const Gpu& a, const Gpu& b) { return a.pci < b.pci; });
    return gpus;
  }
  return {};
}

}  // namespace cib
