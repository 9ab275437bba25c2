#include "gpu_uuids.hpp"

#include "small_files.hpp"

namespace cib {

void read_gpu_uuids(const std::string& proc, Inventory& inventory) {
  if (inventory.gpus.empty()) return;
  const auto gpus = Directory::open(proc + "/driver/nvidia/gpus");
  if (!gpus) return;
  for (Gpu& gpu : inventory.gpus)
    if (auto uuid = gpus->value(gpu.pci.text() + "/information", "GPU UUID");
        uuid && uuid->starts_with("GPU-"))
      gpu.uuid = std::move(*uuid);
}

}  // namespace cib
