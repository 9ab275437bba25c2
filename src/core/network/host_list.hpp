// Slurm's host lists: "login,n[001-512,600]".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cib {

class HostList {
 public:
  // Empty for what is none. One pair of brackets a name; numbers keep the width they are written with.
  static std::optional<HostList> parse(std::string_view text);

  std::uint64_t size() const;
  std::vector<std::string> names() const;                              // look at size() first
  std::optional<std::uint64_t> place_of(std::string_view name) const;  // from 0

 private:
  // Names prefix + number + suffix with the numbers first to last; without a range, the prefix alone.
  struct Range {
    std::string prefix, suffix;
    std::optional<std::uint32_t> first = {};
    std::uint32_t last = 0;
    std::size_t width = 0;

    std::string written(std::uint32_t number) const;
    std::uint64_t size() const { return first ? std::uint64_t{last} - *first + 1 : 1; }
    std::optional<std::uint64_t> place_of(std::string_view name) const;
  };
  bool add(std::string_view entry);

  std::vector<Range> ranges_;
};

}  // namespace cib
