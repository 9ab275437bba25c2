#pragma once

#include <string>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Other contents for a regular file of an open directory, at once: whoever opens it has the old or the new
// ones. The mode is kept; the owner is who replaces it. `path` is for messages.
Status replace_file(const UniqueFd& directory, const std::string& name, const std::string& contents,
                    const std::string& path);

}  // namespace cib
