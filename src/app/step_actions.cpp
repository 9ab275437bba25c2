#include "app/step_actions.hpp"

#include "app/give_back.hpp"

namespace cib {

Status StepActions::run(const Action& action) {
  CIB_CHECK(journal_.write(Mark::intent, action));
  CIB_CHECK(kernel_.apply(action));
  return journal_.write(Mark::done, action);
}

std::vector<std::string> StepActions::give_back(const std::function<bool(const Action&)>& choose) {
  auto records = in_force(journal_.records());
  std::erase_if(records, [&](const Record* record) { return !choose(*get_if<Action>(*record)); });
  const auto [undone, failed] = cib::give_back(kernel_, records);
  for (const Record& record : undone)
    (void)journal_.write(Mark::undone, Undone{std::string(verb_of(*get_if<Action>(record))), record.seq});
  return failed;
}

}  // namespace cib
