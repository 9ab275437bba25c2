#include "app/step_journal.hpp"

namespace cib {

Status StepJournal::open(const std::string& step, Opened owner) {
  Record first{.seq = 1, .mark = Mark::done, .event = std::move(owner)};
  CIB_CHECK(store_.create(step, first));
  open_ = true;
  records_.push_back(std::move(first));
  return {};
}

Status StepJournal::write(Mark mark, Event event) {
  Record record{
      .seq = static_cast<std::uint32_t>(records_.size() + 1), .mark = mark, .event = std::move(event)};
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
