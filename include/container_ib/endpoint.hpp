// A TCP endpoint by number, as both ends of the relay and the kernel have it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace cib {

enum class IpFamily : std::uint8_t { v4 = 4, v6 = 6 };

struct TcpEndpoint {
  IpFamily family = IpFamily::v4;
  std::array<std::uint8_t, 16> address{};  // network byte order; IPv4 has the first four, the rest is 0
  std::uint16_t port = 0;                  // host byte order

  auto operator<=>(const TcpEndpoint&) const = default;

  // 127.0.0.0/8, or ::1.
  bool is_loopback() const;
  // 0.0.0.0, or ::.
  bool is_wildcard() const;
  // "127.0.0.1:34567", "[::1]:40000"; IPv6 in full, without "::", but for those two.
  std::string text() const;
};

}  // namespace cib
