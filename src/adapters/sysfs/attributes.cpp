#include "attributes.hpp"

#include <charconv>

#include "container_ib/text.hpp"

namespace cib {

namespace {

// The number before ": NAME".
std::optional<int> state_number(std::string_view text, int last) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto number = whole_number<int>(text.substr(0, colon));
  return number && *number <= last ? number : std::nullopt;
}

// A non-negative decimal at the beginning; `rest` is what follows.
std::optional<double> leading_number(std::string_view text, std::string_view& rest) {
  double value = 0;
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto [end, errc] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (errc != std::errc{}) return std::nullopt;
  rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

PortState parse_state(std::string_view text) {
  const auto number = state_number(text, static_cast<int>(PortState::active_defer));
  return number ? static_cast<PortState>(*number) : PortState::unknown;
}

PhysState parse_phys_state(std::string_view text) {
  const auto number = state_number(text, static_cast<int>(PhysState::phy_test));
  return number ? static_cast<PhysState>(*number) : PhysState::unknown;
}

LinkLayer parse_link_layer(std::string_view text) {
  if (text == "InfiniBand") return LinkLayer::infiniband;
  if (text == "Ethernet") return LinkLayer::ethernet;
  return LinkLayer::unknown;
}

GidType parse_gid_type(std::string_view text) {
  if (text == "RoCE v2") return GidType::roce_v2;
  if (text == "IB/RoCE v1") return GidType::ib_or_v1;
  return GidType::unknown;
}

double parse_rate(std::string_view text) {
  std::string_view rest;
  const auto rate = leading_number(text, rest);
  return rate && rest.starts_with(" Gb/sec") ? *rate : 0;
}

std::uint32_t parse_lid(std::string_view text) { return prefixed_hex<std::uint32_t>(text).value_or(0); }

std::optional<unsigned> parse_numa_node(std::string_view text) { return whole_number<unsigned>(text); }

double parse_pci_speed(std::string_view speed, std::string_view width) {
  std::string_view rest;
  const auto transfers = leading_number(speed, rest);
  const auto lanes = whole_number<unsigned>(width);
  if (!transfers || !rest.starts_with(" GT/s") || !lanes || *lanes > 32 || *transfers > 1024) return 0;
  // 8b/10b up to PCIe 2, 128b/130b up to 5, 242 of 256 bytes of a flit from 6 on.
  const double coding = *transfers <= 5 ? 0.8 : *transfers <= 32 ? 128.0 / 130 : 242.0 / 256;
  return *transfers * coding * *lanes;
}

}  // namespace cib
