#pragma once

#include <string>

#include "container_ib/result.hpp"

namespace cib {

// Whether nobody but root, or this process' own user, can put something else in the place of `path`:
// bad_config names the directory on the way to it that others can write. In a sticky one (/tmp) they can
// replace nothing. not_found when one of them is missing.
Status check_directories_to(const std::string& path);

// Whether a file is what read_trusted_file() asks for, of whatever size. Errors as there. What is checked
// stays so: nobody but root could put something else in its place.
Status check_trusted_file(const std::string& path);

// Contents (at most 1 MiB) of a regular file that only root, or this process' own user, can have written:
// neither it nor a directory on the way to it may be writable by others. not_found when there is no such
// file; bad_config names the file or directory that is open to others.
Result<std::string> read_trusted_file(const std::string& path);

}  // namespace cib
