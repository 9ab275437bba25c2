// What the node's counters say that moved on a step's ports while it ran, and who may have moved it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/step_facts.hpp"
#include "container_ib/verdict.hpp"
#include "container_ib/world/node.hpp"
#include "container_ib/world/state_store.hpp"

namespace cib {

// Counters do not say whose bytes they count. So the kernel is asked who has the ports in use, when the step
// begins, now and then, and when it has ended; and steps that share a port tell each other what they found of
// themselves, since nobody else looks at the right time at one that is short.
class StepTraffic {
 public:
  // `facts` lives as long as this.
  StepTraffic(const StepFacts& facts, Node& node, StateStore& state)
      : facts_(facts), node_(node), state_(state) {}

  // The step is about to use these, and other steps are told so. Without counters there is no verdict, and no
  // error: nobody's job fails for that.
  void begin(std::vector<PlacedPort> ports);
  // Root's processes by these names are on the node for all: what they hold says nothing of a step.
  void expect(std::vector<std::string> daemons) { daemons_ = std::move(daemons); }
  // From now on it uses all of these, those of before among them. What those have moved stays the step's.
  void add(std::vector<PlacedPort> ports);
  bool has_begun() const { return before_.has_value(); }
  // While tasks run.
  void look();
  // None runs any more: what is still to be told to the steps that have the ports too.
  void end();
  // `nodes`: how many the step has.
  Result<Judgement> judge(unsigned nodes);

 private:
  std::optional<RdmaUsers> ask_who();
  void note(const RdmaUsers& users);
  std::vector<std::string> names() const;
  bool is_private() const;
  bool is_daemon(const RdmaUser& user) const;
  void tell(PortUse use);
  std::optional<std::string> suspicion(const std::string& step) const;
  void name_others(Traffic& traffic);

  const StepFacts& facts_;
  Node& node_;
  StateStore& state_;
  std::vector<PlacedPort> ports_;
  std::optional<NodeCounters> before_;
  std::map<std::string, std::string> modes_;   // of steps that had a port already
  std::map<std::string, PortUse> told_;        // what steps say of themselves
  std::map<std::string, std::string> others_;  // who was seen with the ports, and what they did
  std::set<std::string> strangers_;            // processes that were there before the tasks
  std::vector<std::string> daemons_;
  std::optional<std::string> unnamed_;  // what somebody did whom the kernel does not name
  std::optional<std::string> blind_;    // why the kernel could not be asked
  PortUse own_ = PortUse::unsure;
};

}  // namespace cib
