#include "mode_answers.hpp"

#include "adapters/netlink/rdma_devices.hpp"

namespace cib::cli {

NodeFacts facts_of(const NodeQuestion& question, bool live) {
  NodeFacts facts{.name = question.node.empty() ? "this node" : question.node,
                  .inventory = question.inventory,
                  .site = question.site,
                  .rdma_is_exclusive = {}};
  if (live) facts.rdma_is_exclusive = rdma_is_exclusive();
  return facts;
}

std::vector<ModeAnswer> mode_answers(const NodeFacts& facts, bool has_port) {
  std::vector<ModeAnswer> answers;
  for (const Mode mode : all_modes()) {
    ModeAnswer& answer = answers.emplace_back(ModeAnswer{mode, "", ""});
    const ModeUnit* unit = unit_of(mode);
    if (unit == nullptr) {
      answer.why_not = "not in this version";
    } else if (!has_port) {
      answer.why_not = "no eligible port";
    } else if (const auto status = unit->suits(facts); !status) {
      answer.why_not = status.error().message();
    } else {
      answer.why_not = unit->lacks(facts);
      answer.caveat = unit->caveat(facts);
    }
  }
  return answers;
}

}  // namespace cib::cli
