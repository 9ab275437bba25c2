#include "app/phases.hpp"

#include <array>
#include <cstdio>

namespace cib {

void Phases::end(std::string_view name, Clock::time_point now) {
  ended_.push_back({name, now - last_});
  last_ = now;
}

std::string Phases::line() const {
  std::string line;
  for (const Phase& phase : ended_) {
    const double ms = std::chrono::duration<double, std::milli>(phase.took).count();
    std::array<char, 32> number{};
    std::snprintf(number.data(), number.size(), " %.1f ms", ms);
    line += (line.empty() ? "" : ", ") + std::string(phase.name) + number.data();
  }
  return line;
}

}  // namespace cib
