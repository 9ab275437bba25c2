#pragma once

#include <string>

#include "container_ib/result.hpp"

namespace cib::cli {

// A whole text file of at most 1 MiB.
Result<std::string> read_file(const std::string& path);

}  // namespace cib::cli
