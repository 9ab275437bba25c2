#include "app/step_journal.hpp"

namespace cib {

Status StepJournal::open(const std::string& step, std::map<std::string, std::string> owner) {
  Record first{.seq = 1, .mark = Mark::done, .verb = "open", .fields = std::move(owner)};
  CIB_CHECK(store_.create(step, first));
  open_ = true;
  records_.push_back(std::move(first));
  return {};
}

Status StepJournal::write(Mark mark, const std::string& verb, std::map<std::string, std::string> fields) {
  Record record{.seq = static_cast<std::uint32_t>(records_.size() + 1),
                .mark = mark,
                .verb = verb,
                .fields = std::move(fields)};
  CIB_CHECK(store_.append(record));
  records_.push_back(std::move(record));
  return {};
}

void StepJournal::close() {
  if (!open_) return;
  open_ = false;
  (void)store_.remove();
}

}  // namespace cib
