// Slurm's host lists: "login,rack[1-2]node[001-512,600]", as hostlist.c of Slurm reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cib {

// What stands in one pair of brackets: "001-512,600". Numbers keep the width that their range is begun with.
class NumberRanges {
 public:
  // Empty for what is none.
  static std::optional<NumberRanges> parse(std::string_view text);

  std::uint64_t size() const { return size_; }
  std::string text_at(std::uint64_t place) const;                        // place < size()
  std::optional<std::uint64_t> place_of(std::string_view digits) const;  // from 0

 private:
  struct Range {
    std::uint32_t first = 0, last = 0;
    std::size_t width = 0;

    std::uint64_t size() const { return std::uint64_t{last} - first + 1; }
  };
  std::vector<Range> ranges_;
  std::uint64_t size_ = 0;
};

class HostList {
 public:
  // Empty for what is none, and for one of more than some thousand million names or of more than four pairs
  // of brackets in a name.
  static std::optional<HostList> parse(std::string_view text);

  // The names are never made all at once: what a few characters say would fill any memory.
  std::uint64_t size() const { return size_; }
  // place < size(). Of several pairs of brackets in a name the first varies slowest.
  std::string name_at(std::uint64_t place) const;
  std::optional<std::uint64_t> place_of(std::string_view name) const;  // from 0

 private:
  // Text, numbers, text, numbers... and the text behind the last.
  struct Entry {
    struct Numbers {
      std::string before;
      NumberRanges ranges;
    };
    std::vector<Numbers> numbers;
    std::string behind;
    std::uint64_t size = 1;
  };
  static std::optional<Entry> parse_entry(std::string_view text);
  static std::optional<std::uint64_t> place_in(const Entry& entry, std::size_t bracket,
                                               std::string_view name);

  std::vector<Entry> entries_;
  std::uint64_t size_ = 0;
};

// The parts of a list at commas that are in no brackets.
std::vector<std::string_view> host_list_entries(std::string_view text);

}  // namespace cib
