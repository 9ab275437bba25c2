// What the node's counters say that moved on a step's ports while it ran.
#pragma once

#include <optional>
#include <vector>

#include "container_ib/verdict.hpp"
#include "container_ib/world/node.hpp"
#include "container_ib/world/state_store.hpp"

namespace cib {

class StepTraffic {
 public:
  StepTraffic(Node& node, StateStore& state) : node_(node), state_(state) {}

  // The step is about to use these, and other steps are told so. Without counters there is no verdict, and no
  // error: nobody's job fails for that.
  void begin(std::vector<PlacedPort> ports);
  // From now on it uses all of these, those of before among them. What those have moved stays the step's.
  void add(std::vector<PlacedPort> ports);
  bool has_begun() const { return before_.has_value(); }
  // `nodes`: how many the step has.
  Result<Judgement> judge(unsigned nodes);

 private:
  Node& node_;
  StateStore& state_;
  std::vector<PlacedPort> ports_;
  std::optional<NodeCounters> before_;
  bool shared_ = false;  // another step used one of the ports already
};

}  // namespace cib
