// Option text: any bytes give a request or one short printable line.
#include "container_ib/config.hpp"
#include "fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cib;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto request = parse_request(text);
  if (request) {
    SiteConfig site;
    site.modes = {Mode::verbs, Mode::vf};
    (void)resolve(*request, site);
    return 0;
  }
  fuzz::require(request.error().code == Errc::bad_request && request.error().what.size() < 400);
  for (const char c : request.error().what) fuzz::require(c >= 0x20 && c < 0x7f);
  return 0;
}
