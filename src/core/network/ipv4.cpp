#include "container_ib/ipv4.hpp"

#include <algorithm>

#include "container_ib/text.hpp"

namespace cib {

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  const auto octets = split(text, '.');
  if (octets.size() != 4) return {};
  std::uint32_t address = 0;
  for (const auto octet : octets) {
    const auto value = whole_number<std::uint8_t>(octet);
    if (!value) return {};
    address = address << 8 | *value;
  }
  return address;
}

std::string ipv4_text(std::uint32_t address) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8)
    text += std::to_string(address >> shift & 0xff) + (shift > 0 ? "." : "");
  return text;
}

std::optional<Ipv4OnNetwork> Ipv4OnNetwork::parse(std::string_view text) {
  const auto parts = split(text, '/');
  if (parts.size() != 2) return {};
  const auto address = parse_ipv4(parts[0]);
  const auto length = whole_number<unsigned>(parts[1]);
  if (!address || !length || *length < 1 || *length > 30) return {};
  return Ipv4OnNetwork{*address, *length};
}

std::string ipv4_ranges(std::vector<std::uint32_t> addresses) {
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  std::string text;
  for (std::size_t first = 0; first < addresses.size();) {
    std::size_t last = first;
    while (last + 1 < addresses.size() && addresses[last + 1] == addresses[last] + 1) ++last;
    text += (text.empty() ? "" : ",") + ipv4_text(addresses[first]);
    if (last != first) text += '-' + ipv4_text(addresses[last]);
    first = last + 1;
  }
  return text;
}

std::optional<std::vector<std::uint32_t>> parse_ipv4_ranges(std::string_view text, std::size_t most) {
  std::vector<std::uint32_t> addresses;
  if (text.empty()) return addresses;
  for (const auto range : split(text, ',')) {
    const auto ends = split(range, '-');
    const auto first = parse_ipv4(ends.front()), last = parse_ipv4(ends.back());
    if (ends.size() > 2 || !first || !last || *last < *first || *last - *first >= most) return {};
    for (std::uint32_t at = *first;; ++at) {
      if (addresses.size() >= most) return {};
      addresses.push_back(at);
      if (at == *last) break;
    }
  }
  return addresses;
}

}  // namespace cib
