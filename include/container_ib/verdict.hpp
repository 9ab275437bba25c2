// What carried the data of a step on this node, from the kernel's counters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cib {

enum class Verdict { native, shm_only, not_native, unknown };

std::string_view verdict_name(Verdict verdict);  // "native", "shm-only", "not native", "unknown"

struct Traffic {
  std::uint64_t verbs_sent = 0, verbs_received = 0;  // bytes, on the step's ports
  std::uint64_t tcp_sent = 0, tcp_received = 0;      // bytes, on the network devices other than lo and IPoIB
  std::uint64_t ipoib_sent = 0, ipoib_received = 0;  // bytes, by IPoIB on the step's ports; part of verbs_*
  std::uint64_t nodes_ipoib = 0;  // bytes, both ways, by IPoIB that the tasks have not; part of verbs_*
  bool shared = false;            // another attachment used one of the ports meanwhile, or may have
  std::string others{};  // that one or who else, and what they did: "step 17.0 had ..."; empty: nobody
  unsigned nodes = 1;    // of the step
};

struct Judgement {
  Verdict verdict = Verdict::unknown;
  std::string reason;  // one clause, with the numbers
  bool idle = false;   // no more was moved than starting a step moves
};

Judgement judge(const Traffic& traffic);

// Whether so many bytes on a port may be the subnet manager's alone.
bool is_management(std::uint64_t verbs_bytes);

// 1536 -> "1.5 kB"; decimal units, as fabrics are sold.
std::string human_bytes(std::uint64_t bytes);

}  // namespace cib
