// Where the time of an attachment goes: the parts of it in order, each with how long it took.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace cib {

class Phases {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Phases(Clock::time_point begin) : last_(begin) {}

  // The phase that began where the one before it ended is over.
  void end(std::string_view name, Clock::time_point now = Clock::now());

  // "start 3.1 ms, inventory 0.5 ms"; empty before the first has ended.
  std::string line() const;

 private:
  struct Phase {
    std::string_view name;  // a literal
    Clock::duration took;
  };
  Clock::time_point last_;
  std::vector<Phase> ended_;
};

}  // namespace cib
