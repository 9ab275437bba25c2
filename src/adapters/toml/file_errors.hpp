// What is wrong in the site's file, and on which of its lines.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "container_ib/result.hpp"
#include "container_ib/text.hpp"
#include "values.hpp"

namespace cib {

class FileErrors {
 public:
  explicit FileErrors(std::string file) : file_(std::move(file)) {}

  const std::string& file() const { return file_; }
  Error at(const toml::source_region& where, const std::string& what) const {
    return error(Errc::bad_config, file_ + ":" + std::to_string(where.begin.line) + ": " + what);
  }
  Error not_allowed(const toml::node& node, const std::string& key, std::string_view allowed) const {
    return at(node.source(), key + ": " + shown(node) + ", allowed: " + std::string(allowed));
  }

 private:
  std::string file_;
};

}  // namespace cib
