// The site's configuration: any bytes give a configuration or one line.
#include "container_ib/config.hpp"
#include "container_ib/node_names.hpp"
#include "fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cib;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto site = parse_config(text, "conf");
  if (site) {
    (void)resolve(Request{}, *site);
    for (const auto& rule : site->nodes) (void)names_node(rule.name, "rack1n01");
    (void)site_variables(rules_for_node(site->environment, "n11"), {Port{}});
    return 0;
  }
  fuzz::require(site.error().code == Errc::bad_config);
  fuzz::require(site.error().what.find('\n') == std::string::npos);
  return 0;
}
