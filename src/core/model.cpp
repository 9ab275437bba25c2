#include "container_ib/model.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "container_ib/text.hpp"

namespace cib {

namespace {

// One field of a PCI address: 1 to `digits` hexadecimal digits, at most `max`.
std::optional<std::uint32_t> field(std::string_view text, std::size_t digits, std::uint32_t max) {
  const auto value = whole_number<std::uint32_t>(text, 16);
  if (text.size() > digits || !value || *value > max) return std::nullopt;
  return value;
}

}  // namespace

std::string PciAddress::text() const {
  // Domains above 0xffff exist: Linux numbers VMD and Hyper-V domains from 0x10000.
  unsigned digits = 4;
  while (digits < 8 && domain >> (4 * digits) != 0) ++digits;
  return hex(domain, digits) + ':' + hex(bus, 2) + ':' + hex(device, 2) + '.' + hex(function, 1);
}

Result<PciAddress> PciAddress::parse(std::string_view text) {
  const auto bad = [&] {
    return error(Errc::bad_request, "'" + printable(text) + "' is not a PCI address like 0000:21:00.0");
  };
  const auto colons = split(text, ':');
  if (colons.size() < 2 || colons.size() > 3) return bad();
  const auto last = split(colons.back(), '.');
  if (last.size() != 2) return bad();
  const auto domain = colons.size() == 3 ? field(colons[0], 8, 0xffffffff) : std::optional<std::uint32_t>(0);
  const auto bus = field(colons[colons.size() - 2], 2, 0xff);
  const auto device = field(last[0], 2, 0x1f);
  const auto function = field(last[1], 1, 7);
  if (!domain || !bus || !device || !function) return bad();
  return PciAddress{*domain, static_cast<std::uint8_t>(*bus), static_cast<std::uint8_t>(*device),
                    static_cast<std::uint8_t>(*function)};
}

std::string_view port_state_name(PortState state) {
  constexpr std::array names = {"NOP", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER"};
  const auto index = static_cast<std::size_t>(state);
  return index < names.size() ? names[index] : "unknown";
}

std::string_view phys_state_name(PhysState state) {
  constexpr std::array names = {"NOP",      "Sleep",  "Polling",           "Disabled",
                                "Training", "LinkUp", "LinkErrorRecovery", "Phy Test"};
  const auto index = static_cast<std::size_t>(state);
  return index < names.size() ? names[index] : "unknown";
}

std::optional<std::uint64_t> parse_guid(std::string_view text) {
  const auto groups = split(text, ':');
  if (text.size() != 19 || groups.size() != 4) return std::nullopt;
  std::uint64_t guid = 0;
  for (const auto group : groups) {
    const auto value = whole_number<std::uint16_t>(group, 16);
    if (!value || group.size() != 4) return std::nullopt;
    guid = guid << 16 | *value;
  }
  return guid;
}

std::string guid_text(std::uint64_t guid) {
  return hex(guid >> 48, 4) + ':' + hex(guid >> 32, 4) + ':' + hex(guid >> 16, 4) + ':' + hex(guid, 4);
}

std::string pkey_text(std::uint16_t pkey) { return "0x" + hex(pkey, 4); }

std::string numa_text(const Port& port) {
  std::vector<std::string> nodes;
  for (const unsigned node : port.numa) nodes.push_back(std::to_string(node));
  return join(nodes, ",");
}

std::optional<unsigned> pkey_index(const Port& port, std::uint16_t pkey) {
  for (std::size_t i = 0; i < port.pkeys.size(); ++i)
    if (port.pkeys[i] != 0 && same_partition(port.pkeys[i], pkey)) return static_cast<unsigned>(i);
  return std::nullopt;
}

std::string gid_of_ipv4(std::uint32_t address) {
  return "0000:0000:0000:0000:0000:ffff:" + hex(address >> 16, 4) + ':' + hex(address & 0xffff, 4);
}

bool is_ipv4(const Gid& gid) { return gid.text.starts_with("0000:0000:0000:0000:0000:ffff:"); }

// Link-local addresses (fe80::/10) are those that routers do not forward; the kernel makes one for every
// interface (ib_core roce_gid_mgmt.c), be it in use or not.
const Gid* roce_gid(const Port& port) {
  const auto rank = [](const Gid& gid) {
    constexpr std::array by_type = {1, 2, 0};  // unknown, v1, v2
    return std::tuple(by_type[static_cast<std::size_t>(gid.type)], gid.text.starts_with("fe80:"),
                      !is_ipv4(gid), gid.index);
  };
  const auto best = std::min_element(port.gids.begin(), port.gids.end(),
                                     [&](const Gid& a, const Gid& b) { return rank(a) < rank(b); });
  return best == port.gids.end() ? nullptr : &*best;
}

}  // namespace cib
