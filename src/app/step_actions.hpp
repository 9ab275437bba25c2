// What the step that this process serves does to its node: written down before it is done, and undone from
// there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/step_journal.hpp"
#include "container_ib/world/kernel.hpp"

namespace cib {

class StepActions {
 public:
  StepActions(Kernel& kernel, StepJournal& journal) : kernel_(kernel), journal_(journal) {}

  Status run(const Action& action);
  // Undoes those in force that `choose` wants, also what was only begun. What could not be given back, one
  // line each.
  std::vector<std::string> give_back(const std::function<bool(const Action&)>& choose);

 private:
  Kernel& kernel_;
  StepJournal& journal_;
};

}  // namespace cib
