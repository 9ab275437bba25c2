// IPv4 addresses as text and back, in host byte order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cib {

std::optional<std::uint32_t> parse_ipv4(std::string_view text);  // "10.20.0.1"
std::string ipv4_text(std::uint32_t address);

// An address and the length of its network's prefix: "10.20.0.1/16".
struct Ipv4OnNetwork {
  std::uint32_t address = 0;
  unsigned length = 0;  // bits, 1 to 30

  static std::optional<Ipv4OnNetwork> parse(std::string_view text);
  std::string text() const { return ipv4_text(address) + '/' + std::to_string(length); }

  std::uint32_t host_mask() const { return ~std::uint32_t{0} >> length; }
  std::uint32_t network() const { return address & ~host_mask(); }
  // Without the first address, which names the network, and the last, which is everybody's.
  std::uint64_t usable() const { return (std::uint64_t{1} << (32 - length)) - 2; }
  bool operator==(const Ipv4OnNetwork&) const = default;
};

// Addresses in as few words as there are runs of them: "10.20.0.2-10.20.0.9,10.20.0.12". And back: empty for
// what is no such text, or names more than `most`.
std::string ipv4_ranges(std::vector<std::uint32_t> addresses);
std::optional<std::vector<std::uint32_t>> parse_ipv4_ranges(std::string_view text, std::size_t most);

}  // namespace cib
