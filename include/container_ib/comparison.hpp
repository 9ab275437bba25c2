// What simpler rules would have chosen, and how that compares. These are models of the rules, not runs of the
// libraries that have them.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/placement.hpp"

namespace cib {

enum class Rule {
  nearest,      // each task the nearest port, the first of several: UCX
  round_robin,  // ports in turn by the task's local number
  greedy,       // task by task the nearest, of several the one with the least load
};

inline constexpr std::array all_rules = {Rule::nearest, Rule::round_robin, Rule::greedy};
std::string_view rule_name(Rule rule);

struct ConnectorLoad {
  std::string connector;
  unsigned tasks = 0;
  double fill =
      0;  // 1: as full, for its speed, as the fullest one when load is distributed as fairly as possible
};

// Of every connector that has an eligible port, in the order of `verdicts`.
std::vector<ConnectorLoad> connector_loads(const Inventory& node, const std::vector<PortVerdict>& verdicts,
                                           const std::vector<TaskPlacement>& tasks);

struct Score {
  double overload = 0;       // the fullest connector's fill; 1 is the best possible
  double distance = 0;       // mean of all tasks and their ports, SLIT x 100; 1000 is local
  double other_package = 0;  // how many of the tasks' ports are there, 0 to 1
  unsigned connectors_used = 0;
  std::vector<ConnectorLoad> loads;  // as of connector_loads()
};

// One assignment's question, for other answers to it.
class Comparison {
 public:
  // `tasks` are those of `ours`, both in ascending id; all but `options` must outlive this.
  Comparison(const Inventory& node, const std::vector<LocalTask>& tasks, const PlacementOptions& options,
             const Assignment& ours);
  ~Comparison();
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;

  // Placed by another rule: as many ports each as `ours` gives, from the same eligible ones.
  std::vector<TaskPlacement> place_by(Rule rule) const;
  Score score(const std::vector<TaskPlacement>& placed) const;

 private:
  struct Question;
  std::unique_ptr<const Question> question_;
};

}  // namespace cib
