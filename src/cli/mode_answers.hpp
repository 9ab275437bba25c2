// Which modes a node can do, for whoever tells it.
#pragma once

#include <string>
#include <vector>

#include "app/modes/mode_unit.hpp"
#include "node_options.hpp"

namespace cib::cli {

struct ModeAnswer {
  Mode mode;
  std::string why_not;  // and what would help; empty when the node can do it
  std::string caveat;   // what the mode does not give here all the same; empty where there is nothing to say
};

// `live`: this machine is asked, and not a description.
NodeFacts facts_of(const NodeQuestion& question, bool live);

// Of every mode, in the order of their table. `has_port`: whether some port is eligible.
std::vector<ModeAnswer> mode_answers(const NodeFacts& facts, bool has_port);

}  // namespace cib::cli
