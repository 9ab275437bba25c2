#include "container_ib/endpoint.hpp"

namespace cib {

namespace {

constexpr std::array<std::uint8_t, 16> nowhere{};
constexpr std::array<std::uint8_t, 16> one{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

std::string in_full(const std::array<std::uint8_t, 16>& address) {
  std::string text;
  for (std::size_t i = 0; i < address.size(); ++i) {
    if (i > 0 && i % 2 == 0) text += ':';
    text += "0123456789abcdef"[address[i] >> 4];
    text += "0123456789abcdef"[address[i] & 0xf];
  }
  return text;
}

}  // namespace

bool TcpEndpoint::is_loopback() const { return family == IpFamily::v4 ? address[0] == 127 : address == one; }

bool TcpEndpoint::is_wildcard() const { return address == nowhere; }

std::string TcpEndpoint::text() const {
  std::string host;
  if (family == IpFamily::v4) {
    for (std::size_t i = 0; i < 4; ++i) host += (i > 0 ? "." : "") + std::to_string(address[i]);
  } else {
    host = "[" + (is_loopback() ? "::1" : is_wildcard() ? "::" : in_full(address)) + "]";
  }
  return host + ":" + std::to_string(port);
}

}  // namespace cib
