// A moment in the future on the clock that nobody sets, and a wait until then.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>
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

// Whether the descriptor has something to read, or its end, or (a pidfd) its process has ended, by then.
// Signals are no answer: slurmstepd has handlers.
inline bool readable_within(int fd, int timeout_ms) {
  const Deadline deadline(timeout_ms);
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  int ready = -1;
  do ready = ::poll(&p, 1, deadline.left_ms());
  while (ready < 0 && errno == EINTR);
  return ready == 1;
}

}  // namespace cib
