// A moment in the future on the clock that nobody sets, and the ways to wait until then.
#pragma once

#include <poll.h>
#include <time.h>

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

// As poll(2) of one descriptor: positive when it is ready, 0 when it was not by then, negative with errno.
// Signals are no answer: slurmstepd has handlers.
inline int poll_one(int fd, short events, const Deadline& deadline) {
  pollfd p{.fd = fd, .events = events, .revents = 0};
  int ready = -1;
  do ready = ::poll(&p, 1, deadline.left_ms());
  while (ready < 0 && errno == EINTR);
  return ready;
}

// Whether the descriptor has something to read, or its end, or (a pidfd) its process has ended, by then.
inline bool readable_within(int fd, int timeout_ms) { return poll_one(fd, POLLIN, Deadline(timeout_ms)) > 0; }

// A signal ends it.
inline void pause_for(int ms) {
  const timespec pause{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1'000'000L};
  (void)::nanosleep(&pause, nullptr);
}

// Whether `condition()` holds by then, for what nobody tells of. It is asked at once, however late it is, and
// again after each pause.
template <class Condition>
bool poll_until(const Deadline& deadline, int pause_ms, Condition condition) {
  while (!condition()) {
    if (deadline.passed()) return false;
    pause_for(pause_ms);
  }
  return true;
}

}  // namespace cib
