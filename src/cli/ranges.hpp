// Numbers as people write them.
#pragma once

#include <string>
#include <vector>

namespace cib::cli {

// "0-3,8" for ascending numbers; every other of many as "0-62:2".
std::string ranges(const std::vector<unsigned>& numbers);

}  // namespace cib::cli
