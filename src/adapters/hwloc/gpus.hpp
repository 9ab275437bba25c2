// What a topology's GPUs are: the devices that a GPU library numbers, and nothing else that draws or
// computes.
#pragma once

#include <hwloc.h>

#include <vector>

#include "pci_devices.hpp"

namespace cib {

// Of one vendor (gpu_vendors), in the order of their PCI addresses, which is that of CUDA_VISIBLE_DEVICES
// under Slurm and of ROCR_VISIBLE_DEVICES.
std::vector<Gpu> read_gpus(hwloc_topology_t topology, const PciDevices& devices);

}  // namespace cib
