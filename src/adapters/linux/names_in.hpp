// What lies in a directory.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

enum class Entries { all, directories };

// Names in the directory `path`, which counts from the open directory `at` (AT_FDCWD: this process' own), in
// ascending order, without those that begin with a dot. No more than `limit` are read. An error of code
// kernel, "open PATH", when there is no such directory or it may not be read.
Result<std::vector<std::string>> names_in(int at, const std::string& path, Entries which = Entries::all,
                                          std::size_t limit = std::numeric_limits<std::size_t>::max());
Result<std::vector<std::string>> names_in(const std::string& path);

}  // namespace cib
