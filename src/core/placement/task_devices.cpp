#include "container_ib/task_devices.hpp"

#include <algorithm>

#include "container_ib/text.hpp"

namespace cib {

namespace {

// "3", or "0.1" as Level Zero numbers the tile of a device.
std::optional<std::size_t> device_number(std::string_view word) {
  return whole_number<std::size_t>(word.substr(0, word.find('.')));
}

// CUDA takes a UUID that is cut off behind any digit, if it still is of one GPU alone.
const Gpu* gpu_of_uuid(const std::vector<const Gpu*>& gpus, std::string_view uuid) {
  const Gpu* found = nullptr;
  for (const Gpu* gpu : gpus) {
    if (gpu->uuid.empty() || !gpu->uuid.starts_with(uuid)) continue;
    if (found != nullptr) return nullptr;
    found = gpu;
  }
  return found;
}

// Up to driver 470 the UUID of an instance names its GPU: "MIG-GPU-<uuid>/<gpu instance>/<compute instance>".
// Of later ones nothing outside of the driver's library tells the GPU.
std::string_view gpu_uuid_in(std::string_view word) {
  if (word.starts_with("MIG-GPU-")) return word.substr(4, word.find('/') - 4);
  return word.starts_with("GPU-") ? word : std::string_view();
}

}  // namespace

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : split(text, ','))
    if (!word.empty()) words.emplace_back(word);
  return words;
}

std::string node_wide_gpus(const std::string& visible, const std::string& granted) {
  if (granted.empty()) return visible;
  const auto seen = split_list(visible), given = split_list(granted);
  // What is no number is the same on the whole node, and where it is an instance (MIG) Slurm's numbers are
  // not of GPUs.
  const auto is_number = [](const std::string& word) { return device_number(word).has_value(); };
  if (!std::all_of(seen.begin(), seen.end(), is_number)) return visible;
  if (seen.size() == given.size()) return granted;
  const bool same_numbers = std::all_of(seen.begin(), seen.end(), [&](const std::string& gpu) {
    return std::find(given.begin(), given.end(), gpu) != given.end();
  });
  return same_numbers ? visible : std::string();
}

std::vector<PciAddress> visible_gpus(const Inventory& node, std::string_view visible) {
  std::vector<const Gpu*> all;
  for (const Gpu& gpu : node.gpus) all.push_back(&gpu);
  std::sort(all.begin(), all.end(), [](const Gpu* a, const Gpu* b) { return a->pci < b->pci; });
  std::vector<PciAddress> chosen;
  const auto add = [&](const Gpu* gpu) {
    if (std::find(chosen.begin(), chosen.end(), gpu->pci) == chosen.end()) chosen.push_back(gpu->pci);
  };
  for (const std::string& word : split_list(visible)) {
    const auto uuid = gpu_uuid_in(word);
    if (const Gpu* gpu = uuid.empty() ? nullptr : gpu_of_uuid(all, uuid); gpu != nullptr) add(gpu);
    if (const auto number = device_number(word); number && *number < all.size()) add(all[*number]);
    if (word == "all") std::for_each(all.begin(), all.end(), add);
  }
  return chosen;
}

}  // namespace cib
