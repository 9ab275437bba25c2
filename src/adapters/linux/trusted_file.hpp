#pragma once

#include <string>

#include "container_ib/result.hpp"

namespace cib {

// Contents (at most 1 MiB) of a regular file that only root, or this process' own user, can have written:
// neither it nor a directory on the way to it may be writable by others. not_found when there is no such
// file; bad_config names the file or directory that is open to others.
Result<std::string> read_trusted_file(const std::string& path);

}  // namespace cib
