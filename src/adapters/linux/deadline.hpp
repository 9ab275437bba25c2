// A moment in the future on the clock that nobody sets.
#pragma once

#include <algorithm>
#include <chrono>

namespace cib {

class Deadline {
 public:
  explicit Deadline(int timeout_ms) : end_(Clock::now() + std::chrono::milliseconds(timeout_ms)) {}
  int left_ms() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()).count();
    return static_cast<int>(std::max<long>(left, 0));
  }
  bool passed() const { return left_ms() == 0; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point end_;
};

}  // namespace cib
