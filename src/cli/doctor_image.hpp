// The part of doctor that is about a container image.
#pragma once

#include <string>
#include <vector>

#include "container_ib/image.hpp"

namespace cib::cli {

// `root` is the folder of an unpacked image; empty: this process runs in the container. It is for the HCAs of
// the sysfs at `sysfs`; empty: for this machine's, or those of the task that this runs in.
Result<std::vector<ImageLine>> examine_image(const std::string& root, const std::string& sysfs);

}  // namespace cib::cli
