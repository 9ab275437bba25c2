// What a step's users are told at its end: what carried their data, by the node's counters.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/step_facts.hpp"
#include "app/step_traffic.hpp"
#include "container_ib/request.hpp"

namespace cib {

class Report {
 public:
  // `facts` lives as long as this.
  Report(const StepFacts& facts, Node& node, StateStore& state)
      : facts_(facts), traffic_(facts, node, state) {}

  // The step uses all of these from now on, those of before among them.
  void uses(std::vector<PlacedPort> ports, const std::vector<std::string>& daemons);

  // While tasks run, now and then; and when none does any more.
  void look_at_ports() { traffic_.look(); }
  void end_of_tasks() { traffic_.end(); }

  struct About {
    ReportLevel level = ReportLevel::off;
    std::string singletons;                  // why the tasks may not have been one job; or empty
    std::string caveat;                      // what the mode does not give here, one line; or empty
    std::map<unsigned, std::string> inside;  // by rank, how what its container shows differs from what it has
    std::vector<std::string> choices;        // who got what and why, one line for each task
  };
  // Once every task has ended, and only once: the second time there are no lines, nor for a step that used no
  // port.
  std::vector<std::string> lines(const About& about);

  // Whether this node speaks of what all nodes of the step may have to say.
  bool is_talkative(ReportLevel level) const;

 private:
  bool is_worth_telling(const Judgement& judgement, ReportLevel level) const;

  const StepFacts& facts_;
  StepTraffic traffic_;
  bool told_ = false;
};

}  // namespace cib
