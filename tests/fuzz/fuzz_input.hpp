// Bytes of a fuzzer's input as values, and what must hold for every assignment.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "container_ib/placement.hpp"

namespace cib::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  unsigned below(unsigned limit) { return limit == 0 ? 0 : byte() % limit; }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return value;
  }
  // Up to 63 bytes.
  std::string text() {
    const std::size_t wanted = below(64);  // takes a byte, so not within the next line's arguments
    const auto size = std::min(wanted, rest_.size());
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }

 private:
  std::string_view rest_;
};

inline void require(bool holds) {
  if (!holds) std::abort();
}

// Nothing ineligible is ever chosen, and eligible means usable.
inline void check(const Inventory& node, const std::vector<LocalTask>& tasks, const PlacementOptions& options,
                  const Assignment& assignment) {
  require(assignment.verdicts.size() == node.ports.size());
  require(assignment.tasks.size() == tasks.size());
  require(assignment.plan.size() == 8);
  std::set<std::size_t> eligible;
  for (const auto& verdict : assignment.verdicts) {
    require(verdict.eligible == verdict.why_not.empty());
    if (!verdict.eligible) continue;
    eligible.insert(verdict.port);
    const Port& port = node.ports[verdict.port];
    require(port.state == PortState::active);
    require(port.link_layer == LinkLayer::infiniband || options.roce != Roce::no || port.driver == "efa");
    require(port.link_layer == LinkLayer::ethernet || (port.lid >= 1 && port.lid <= 0xbfff));
    require(!port.device.empty() && port.device.find_first_of(",: \n") == std::string::npos);
  }
  for (const auto& task : assignment.tasks) {
    require(task.ports.size() <= 8 * (options.fabric == "all" ? eligible.size() : 1));
    require(std::set<std::size_t>(task.ports.begin(), task.ports.end()).size() == task.ports.size());
    for (const std::size_t port : task.ports) require(eligible.contains(port));
  }
}

}  // namespace cib::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
