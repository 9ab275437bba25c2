// What the step's tasks run, and what its user has set.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "spank/spank_abi.hpp"

namespace cib {

// Empty when Slurm does not say. The words are Slurm's, not to be kept.
inline std::vector<std::string_view> command_words(spank_t spank) {
  int argc = 0;
  char** argv = nullptr;
  if (spank_get_item(spank, S_JOB_ARGV, &argc, &argv) != ESPANK_SUCCESS || argc < 1) return {};
  return {argv, argv + argc};
}

inline bool variable_is_set(spank_t spank, const char* name) {
  std::array<char, 2> value{};
  const auto rc = spank_getenv(spank, name, value.data(), static_cast<int>(value.size()));
  return rc == ESPANK_SUCCESS || rc == ESPANK_NOSPACE;
}

}  // namespace cib
