#include "container_ib/task_devices.hpp"

#include <algorithm>
#include <charconv>

namespace cib {

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (comma != 0) words.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return words;
}

std::string node_wide_gpus(const std::string& visible, const std::string& granted) {
  if (granted.empty()) return visible;
  const auto seen = split_list(visible), given = split_list(granted);
  if (seen.size() == given.size()) return granted;
  const bool same_numbers = std::all_of(seen.begin(), seen.end(), [&](const std::string& gpu) {
    return std::find(given.begin(), given.end(), gpu) != given.end();
  });
  return same_numbers ? visible : std::string();
}

std::vector<PciAddress> visible_gpus(const Inventory& node, std::string_view visible) {
  std::vector<PciAddress> all;
  for (const Gpu& gpu : node.gpus) all.push_back(gpu.pci);
  std::sort(all.begin(), all.end());

  std::vector<PciAddress> chosen;
  for (const std::string& word : split_list(visible)) {
    std::size_t index = 0;
    const auto [end, ec] = std::from_chars(word.data(), word.data() + word.size(), index);
    if (ec == std::errc() && end == word.data() + word.size() && index < all.size())
      chosen.push_back(all[index]);
  }
  return chosen;
}

}  // namespace cib
