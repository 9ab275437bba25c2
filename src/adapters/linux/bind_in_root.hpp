#pragma once

#include <string>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Shows the directory `source` of this mount namespace, with all that is mounted below, at `target` of a tree
// that will be a container's root. Links in it count from there, and the last part of `target` is no link; it
// is made when it is missing.
Status bind_in_root(const std::string& source, const UniqueFd& root, const std::string& target);

}  // namespace cib
