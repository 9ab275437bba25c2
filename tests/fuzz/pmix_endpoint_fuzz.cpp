// A PMIx server's address from a task's environment: any bytes give a loopback endpoint that reads back as
// itself, or one short printable line.
#include "container_ib/pmix_endpoint.hpp"
#include "fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cib;
  const auto endpoint = parse_pmix_server(std::string_view(reinterpret_cast<const char*>(data), size));
  if (endpoint) {
    fuzz::require(endpoint->is_loopback() && endpoint->port != 0);
    const std::string scheme = endpoint->family == IpFamily::v4 ? "tcp4://" : "tcp6://";
    const auto again = parse_pmix_server("server.1;" + scheme + endpoint->text());
    fuzz::require(again.ok() && *again == *endpoint);
    return 0;
  }
  fuzz::require(endpoint.error().code == Errc::bad_request || endpoint.error().code == Errc::denied);
  fuzz::require(endpoint.error().what.size() < 200);
  for (const char c : endpoint.error().what) fuzz::require(c >= 0x20 && c < 0x7f);
  return 0;
}
