// The journal of the step that this process serves: numbered records, on disk before they are here.
#pragma once

#include <string>
#include <vector>

#include "container_ib/journal.hpp"
#include "container_ib/world/state_store.hpp"

namespace cib {

class StepJournal {
 public:
  explicit StepJournal(StateStore& store) : store_(store) {}

  // `step`: "17.0".
  Status open(const std::string& step, Opened owner);
  bool is_open() const { return open_; }
  Status write(Mark mark, Event event);
  const std::vector<Record>& records() const { return records_; }
  // The step needs nothing given back any more. When it fails the reaper finds the directory of a dead agent.
  void close();

 private:
  StateStore& store_;
  std::vector<Record> records_;
  bool open_ = false;
};

}  // namespace cib
