// A directory tree for one test, removed afterwards.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace cib::test {

class TempTree {
 public:
  TempTree() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cib-test-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data()) != nullptr ? pattern : "";
  }
  ~TempTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  std::string path(const std::string& name = "") const { return name.empty() ? root_ : root_ + "/" + name; }
  void file(const std::string& name, const std::string& text) const {
    make_parent(name);
    std::ofstream(path(name), std::ios::binary) << text;
  }
  void link(const std::string& name, const std::string& target) const {
    make_parent(name);
    std::filesystem::create_symlink(target, path(name));
  }
  void directory(const std::string& name) const { std::filesystem::create_directories(path(name)); }

 private:
  void make_parent(const std::string& name) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
  }
  std::string root_;
};

}  // namespace cib::test
