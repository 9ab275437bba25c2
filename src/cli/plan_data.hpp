// A question about a node and its answer: what every output of `plan` is made from.
#pragma once

#include "node_options.hpp"

namespace cib::cli {

struct Plan {
  NodeQuestion question;
  std::vector<LocalTask> tasks;  // in ascending id
  Assignment assignment;
};

}  // namespace cib::cli
