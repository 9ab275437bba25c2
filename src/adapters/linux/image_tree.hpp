// The files of a container image, or of a container: a tree whose owner may have put anything anywhere, at
// any time. Paths count from its root, which no link leads out of; only regular files are opened; and there
// is an end to what is read of them all.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

class ImageTree {
 public:
  // Of the two open directories `root` is the tree's; `proc` is a /proc, whose the tree's own need not be.
  // They stay the caller's. unsupported where the kernel, or what confines this process, has no openat2(2).
  static Result<ImageTree> at(int root, int proc);

  // A regular file, whatever links lead to it.
  bool has(const std::string& path);
  // Its first 32 MiB; nothing when there is none.
  std::optional<std::string> read(const std::string& path);
  // In ascending order, at most 16,384; none when it is no directory.
  std::vector<std::string> names(const std::string& folder);
  // The same for every path to one directory; nothing when it is none.
  std::optional<std::string> identity(const std::string& folder);

  // Whether there was less than what is read at most, and whoever read it has left nothing out.
  bool whole() const { return whole_; }
  void leave_out() { whole_ = false; }

 private:
  ImageTree(int root, int proc) : root_(root), proc_(proc) {}
  UniqueFd open(const std::string& path, unsigned long long flags);
  UniqueFd find_file(const std::string& path);
  // False at the limit.
  bool spend(std::size_t& left, std::size_t amount);

  int root_, proc_;
  bool whole_ = true;
  std::size_t opens_left_ = 20'000, names_left_ = 100'000, bytes_left_ = std::size_t{256} << 20;
};

}  // namespace cib
