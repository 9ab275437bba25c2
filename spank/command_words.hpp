// The command line that the step's tasks run.
#pragma once

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

}  // namespace cib
