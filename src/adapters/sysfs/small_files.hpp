// Bounded reading of a tree of small files whose content and shape are not trusted.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/linux/unique_fd.hpp"

namespace cib {

// A directory held open; everything is read relative to it. Missing or strange entries read as absent.
class Directory {
 public:
  static std::optional<Directory> open(const std::string& path);
  std::optional<Directory> sub(const std::string& path) const;

  // First line of a regular file, at most 4 kB, without trailing blanks. Never waits for a FIFO or device.
  std::optional<std::string> line(const std::string& path) const;
  // The text behind "KEY:" at the beginning of a line, without blanks around it; of the first 4 kB.
  std::optional<std::string> value(const std::string& path, std::string_view key) const;
  // Where a symbolic link points to, as written.
  std::optional<std::string> link(const std::string& path) const;
  std::optional<std::string> link_name(const std::string& path) const;  // the last component of that
  // Names in ascending order, at most 4,096 of them.
  std::vector<std::string> names() const;

 private:
  explicit Directory(UniqueFd fd) : fd_(std::move(fd)) {}
  std::optional<std::string> text(const std::string& path) const;
  static std::optional<Directory> open_at(int at, const std::string& path);

  UniqueFd fd_;
};

}  // namespace cib
