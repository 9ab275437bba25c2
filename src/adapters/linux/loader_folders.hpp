// Where a tree's dynamic loader finds libraries.
#pragma once

#include <string>
#include <vector>

#include "adapters/linux/image_tree.hpp"

namespace cib {

// All folders that libraries may be in, each once, in the order in which the loader would look.
// `library_path` is LD_LIBRARY_PATH.
std::vector<std::string> library_folders(ImageTree& tree, const std::string& library_path);

// Paths of the libraries of that name, "libibverbs.so.1"; empty when there is none.
std::vector<std::string> find_all(ImageTree& tree, const std::vector<std::string>& folders,
                                  const std::string& name);
std::string find_first(ImageTree& tree, const std::vector<std::string>& folders, const std::string& name);

std::string folder_of(const std::string& path);

}  // namespace cib
