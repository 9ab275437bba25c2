#include "container_ib/pmix_endpoint.hpp"

#include <optional>

#include "container_ib/text.hpp"

namespace cib {

namespace {

// Decimal without a leading 0, which inet_addr() in PMIx' client would take for octal.
template <class T>
std::optional<T> decimal(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return whole_number<T>(text);
}

std::optional<std::array<std::uint8_t, 16>> parse_v4(std::string_view host) {
  const auto parts = split(host, '.');
  if (parts.size() != 4) return std::nullopt;
  std::array<std::uint8_t, 16> address{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto byte = decimal<std::uint8_t>(parts[i]);
    if (!byte) return std::nullopt;
    address[i] = *byte;
  }
  return address;
}

}  // namespace

const std::vector<std::string_view>& pmix_server_variables() {
  static const std::vector<std::string_view> names = {
      "PMIX_SERVER_URI61", "PMIX_SERVER_URI51", "PMIX_SERVER_URI41", "PMIX_SERVER_URI4",
      "PMIX_SERVER_URI3",  "PMIX_SERVER_URI21", "PMIX_SERVER_URI2"};
  return names;
}

Result<TcpEndpoint> parse_pmix_server(std::string_view value) {
  const auto refused = [&](Errc code, const char* why) {
    return error(code, "address of the PMIx server '" + printable(value) + "': " + why);
  };
  constexpr std::string_view v4 = "tcp4://", v6 = "tcp6://";
  const auto fields = split(value, ';');
  if (fields.size() != 2 || fields[0].empty())
    return refused(Errc::bad_request, "not of the form NAME;tcp4://ADDRESS:PORT");
  std::string_view where = fields[1];
  TcpEndpoint endpoint;
  if (where.starts_with(v4))
    endpoint.family = IpFamily::v4;
  else if (where.starts_with(v6))
    endpoint.family = IpFamily::v6;
  else
    return refused(Errc::bad_request, "neither tcp4:// nor tcp6://");
  where.remove_prefix(v4.size());

  const auto colon = where.rfind(':');
  if (colon == std::string_view::npos) return refused(Errc::bad_request, "no port");
  const auto port = decimal<std::uint16_t>(where.substr(colon + 1));
  if (!port || *port == 0) return refused(Errc::bad_request, "the port is not 1 to 65535");
  endpoint.port = *port;

  const std::string_view host = where.substr(0, colon);
  if (endpoint.family == IpFamily::v4) {
    const auto address = parse_v4(host);
    if (!address) return refused(Errc::bad_request, "not an IPv4 address");
    endpoint.address = *address;
  } else if (host == "::1" || host == "[::1]") {  // inet_ntop() in PMIx' server knows no other name of it
    endpoint.address.back() = 1;
  }
  if (!endpoint.is_loopback()) return refused(Errc::denied, "not a loopback address");
  return endpoint;
}

}  // namespace cib
