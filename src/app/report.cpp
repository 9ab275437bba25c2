#include "app/report.hpp"

#include <utility>

namespace cib {

namespace {

// The nodes of a step do not talk with each other, so of what all may have to say the first ones by number
// speak for all: a step of 1,000 nodes is not worth 1,000 lines.
constexpr unsigned nodes_that_tell = 8;

constexpr std::size_t ranks_that_differ = 2;  // of a node: they mostly do so for one reason

}  // namespace

void Report::uses(std::vector<PlacedPort> ports, const std::vector<std::string>& daemons) {
  traffic_.expect(daemons);
  traffic_.has_begun() ? traffic_.add(std::move(ports)) : traffic_.begin(std::move(ports));
}

std::vector<std::string> Report::lines(const About& about) {
  if (told_ || !traffic_.has_begun()) return {};
  told_ = true;
  std::vector<std::string> lines;
  if (about.level == ReportLevel::full) lines = about.choices;
  if (!about.caveat.empty() && about.level != ReportLevel::off)
    lines.push_back(facts_.node_name + ": " + about.caveat);
  if (!about.singletons.empty()) lines.push_back(facts_.node_name + ": " + about.singletons);
  std::size_t told = 0;
  for (const auto& [rank, why] : about.inside) {
    if (told++ == ranks_that_differ) {
      lines.push_back(facts_.node_name + ": and so have " +
                      std::to_string(about.inside.size() - ranks_that_differ) + " more");
      break;
    }
    lines.push_back(facts_.node_name + ": rank " + std::to_string(rank) + ": " + why);
  }
  auto judged = traffic_.judge(facts_.nodes);
  const Judgement judgement =
      judged ? std::move(*judged)
             : Judgement{.verdict = Verdict::unknown, .reason = judged.error().message()};
  if (!is_worth_telling(judgement, about.level)) return lines;
  lines.push_back(facts_.node_name + ": " + std::string(verdict_name(judgement.verdict)) + ": " +
                  judgement.reason);
  if (facts_.node_id + 1 == nodes_that_tell && facts_.nodes > nodes_that_tell &&
      about.level != ReportLevel::full)
    lines.back() += "; of the " + std::to_string(facts_.nodes - nodes_that_tell) +
                    " nodes after this one those say so that were not native";
  return lines;
}

bool Report::is_talkative(ReportLevel level) const {
  return facts_.node_id < nodes_that_tell || level == ReportLevel::full;
}

bool Report::is_worth_telling(const Judgement& judgement, ReportLevel level) const {
  if (facts_.by_default && judgement.idle) return false;  // mostly no MPI program at all
  if (judgement.verdict == Verdict::not_native) return true;
  const bool is_news = judgement.verdict != Verdict::native && !judgement.idle;
  return is_talkative(level) && (is_news || level != ReportLevel::off);
}

}  // namespace cib
