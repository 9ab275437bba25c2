// Runs a reader of inventories in a child process with a time limit.
#pragma once

#include <functional>
#include <string>

#include "container_ib/inventory.hpp"

namespace cib {

// `what` names the source in errors.
Result<Inventory> run_isolated(const std::string& what, const std::function<Result<Inventory>()>& read);
// The same of text, of which nothing is known.
Result<std::string> run_isolated_for_text(const std::string& what,
                                          const std::function<Result<std::string>()>& read);

}  // namespace cib
