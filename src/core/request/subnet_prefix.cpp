// A subnet prefix is the first half of a port's GID (IBTA 4.1.1).
#include "container_ib/model.hpp"
#include "container_ib/request.hpp"
#include "container_ib/text.hpp"

namespace cib {

std::optional<std::uint64_t> parse_subnet_prefix(std::string_view text) {
  if (text.starts_with("0x"))
    return text.size() <= 18 ? whole_number<std::uint64_t>(text.substr(2), 16) : std::nullopt;
  const bool open = text.ends_with("::");  // "fe80::": zeros follow
  if (open) text.remove_suffix(2);
  const auto groups = split(text, ':');
  if (groups.size() > 4 || (!open && groups.size() != 4)) return std::nullopt;
  std::uint64_t prefix = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    std::uint16_t group = 0;
    if (i < groups.size()) {
      const auto value = whole_number<std::uint16_t>(groups[i], 16);
      if (!value || groups[i].size() > 4) return std::nullopt;
      group = *value;
    }
    prefix = prefix << 16 | group;
  }
  return prefix;
}

std::string subnet_prefix_text(std::uint64_t prefix) { return guid_text(prefix); }

std::optional<Subnet> parse_subnet(std::string_view text) {
  Subnet subnet;
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const auto lid_text = text.substr(slash + 1);
    auto lid = whole_number<std::uint32_t>(lid_text);
    if (!lid) lid = prefixed_hex<std::uint32_t>(lid_text);
    if (!lid || *lid == 0 || *lid > 0xbfff) return std::nullopt;  // IBTA 4.1.3: unicast LIDs
    subnet.sm_lid = *lid;
    text = text.substr(0, slash);
  }
  const auto prefix = parse_subnet_prefix(text);
  if (!prefix) return std::nullopt;
  subnet.prefix = *prefix;
  return subnet;
}

std::string subnet_text(const Subnet& subnet) {
  return subnet_prefix_text(subnet.prefix) +
         (subnet.sm_lid != 0 ? "/" + std::to_string(subnet.sm_lid) : std::string());
}

}  // namespace cib
