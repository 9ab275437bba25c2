#include "container_ib/verdict.hpp"

#include <array>
#include <cstdio>

namespace cib {

namespace {

// Below this a port's counters show only the subnet manager: a MAD is 256 bytes, and a sweep or a performance
// query sends a few per minute.
constexpr std::uint64_t management_bytes = 64'000;

// What starting a step moves by TCP on one node: the PMIx modex goes between the slurmstepds and was some
// 100 kB for a few ranks; it grows with the nodes whose addresses are gathered.
std::uint64_t startup_bytes(unsigned nodes) { return 256'000 + std::uint64_t{128'000} * nodes; }

// Where verbs and TCP differ by less than this factor, the counters cannot tell messages from file access.
constexpr std::uint64_t clear_factor = 4;

}  // namespace

bool is_management(std::uint64_t verbs_bytes) { return verbs_bytes < management_bytes; }

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::native:
      return "native";
    case Verdict::shm_only:
      return "shm-only";
    case Verdict::not_native:
      return "not native";
    case Verdict::unknown:
      break;
  }
  return "unknown";
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array units = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.95) {  // 64 bits end at 18 EB
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, units[unit]);
  return text.data();
}

Judgement judge(const Traffic& traffic) {
  const std::uint64_t port = traffic.verbs_sent + traffic.verbs_received;
  const std::uint64_t ipoib = traffic.ipoib_sent + traffic.ipoib_received;
  // A port's counters include what IPoIB moved over it; that is TCP on the same cable, not verbs. What the
  // node's own moved for tasks in an overlay has been counted with their interfaces.
  const std::uint64_t no_verbs = ipoib + traffic.nodes_ipoib;
  const std::uint64_t verbs = port > no_verbs ? port - no_verbs : 0;
  const std::uint64_t tcp = traffic.tcp_sent + traffic.tcp_received + ipoib;
  const std::string by_ip = human_bytes(tcp) + (ipoib > tcp - ipoib ? " by TCP over IPoIB" : " by TCP");
  const std::string moved = human_bytes(verbs) + " by verbs, " + by_ip;

  // TCP inside one node is on lo; what other devices moved was files and control.
  const bool one_node = traffic.nodes <= 1;
  const std::uint64_t tcp_beyond_startup = one_node || tcp <= startup_bytes(traffic.nodes) ? 0 : tcp;
  const bool idle = is_management(verbs) && tcp_beyond_startup == 0;
  // Where next to nothing went by verbs, a process of no step cannot have moved it either.
  if (traffic.shared || (!traffic.others.empty() && !is_management(verbs))) {
    const std::string did = traffic.others.empty() ? "another step used the same port" : traffic.others;
    return {Verdict::unknown, moved + ", but " + did + " meanwhile", idle};
  }
  if (one_node && idle) return {Verdict::shm_only, "one node, nothing by the HCA (" + moved + ")", idle};
  if (one_node) return {Verdict::native, moved + ", inside one node"};
  if (idle) return {Verdict::unknown, moved + ": no more than starting a step moves", idle};
  if (is_management(verbs)) return {Verdict::not_native, moved};
  if (verbs / clear_factor >= tcp_beyond_startup) return {Verdict::native, moved};
  if (tcp_beyond_startup / clear_factor >= verbs) return {Verdict::not_native, moved};
  return {Verdict::unknown, moved + ": the counters cannot tell messages from file access"};
}

}  // namespace cib
