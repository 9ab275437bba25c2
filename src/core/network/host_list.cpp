#include "host_list.hpp"

#include <algorithm>

#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::size_t max_digits = 9;
constexpr std::size_t max_brackets = 4;  // Slurm: HIGHEST_DIMENSIONS is 5
constexpr std::uint64_t max_names = std::uint64_t{1} << 32;

bool plain(std::string_view text) { return text.find_first_of("[], \t") == std::string_view::npos; }

}  // namespace

std::vector<std::string_view> host_list_entries(std::string_view text) {
  std::vector<std::string_view> entries;
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && !inside)) {
      entries.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    } else if (text[i] == '[' || text[i] == ']') {
      inside = text[i] == '[';
    }
  }
  return entries;
}

// ---- in brackets
// -----------------------------------------------------------------------------------------------

std::optional<NumberRanges> NumberRanges::parse(std::string_view text) {
  NumberRanges list;
  for (const auto range : split(text, ',')) {
    const auto ends = split(range, '-');
    const auto first = whole_number<std::uint32_t>(ends.front()),
               last = whole_number<std::uint32_t>(ends.back());
    if (ends.size() > 2 || !first || !last || *last < *first || ends.front().size() > max_digits ||
        ends.back().size() > max_digits)
      return {};
    list.ranges_.push_back({*first, *last, ends.front().size()});
    list.size_ += list.ranges_.back().size();
  }
  return list;
}

// 7 is not written 07 unless the list has it so; longer numbers are written in full.
std::string NumberRanges::text_at(std::uint64_t place) const {
  for (const Range& range : ranges_) {
    if (place >= range.size()) {
      place -= range.size();
      continue;
    }
    const std::string digits = std::to_string(range.first + place);
    return digits.size() < range.width ? std::string(range.width - digits.size(), '0') + digits : digits;
  }
  return {};
}

std::optional<std::uint64_t> NumberRanges::place_of(std::string_view digits) const {
  const auto number = whole_number<std::uint32_t>(digits);
  if (!number) return {};
  const std::size_t needed = std::to_string(*number).size();
  std::uint64_t before = 0;
  for (const Range& range : ranges_) {
    if (*number >= range.first && *number <= range.last && digits.size() == std::max(range.width, needed))
      return before + (*number - range.first);
    before += range.size();
  }
  return {};
}

// ---- the list
// -----------------------------------------------------------------------------------------------

std::optional<HostList> HostList::parse(std::string_view text) {
  HostList list;
  for (const auto part : host_list_entries(text)) {
    auto entry = parse_entry(part);
    if (!entry) return {};
    list.size_ += entry->size;
    if (list.size_ > max_names) return {};
    list.entries_.push_back(std::move(*entry));
  }
  return list;
}

std::optional<HostList::Entry> HostList::parse_entry(std::string_view text) {
  if (text.empty()) return {};
  Entry entry;
  for (;;) {
    const auto open = text.find('[');
    const auto before = text.substr(0, open);
    if (!plain(before)) return {};
    if (open == std::string_view::npos) {
      entry.behind = std::string(before);
      return entry;
    }
    const auto close = text.find(']', open);
    if (close == std::string_view::npos || entry.numbers.size() == max_brackets) return {};
    auto ranges = NumberRanges::parse(text.substr(open + 1, close - open - 1));
    if (!ranges || ranges->size() > max_names / entry.size) return {};
    entry.size *= ranges->size();
    entry.numbers.push_back({std::string(before), std::move(*ranges)});
    text.remove_prefix(close + 1);
  }
}

std::string HostList::name_at(std::uint64_t place) const {
  for (const Entry& entry : entries_) {
    if (place >= entry.size) {
      place -= entry.size;
      continue;
    }
    std::string name;
    std::uint64_t of_one = entry.size;  // names that have the same numbers so far
    for (const auto& [before, ranges] : entry.numbers) {
      of_one /= ranges.size();
      name += before + ranges.text_at(place / of_one);
      place %= of_one;
    }
    return name + entry.behind;
  }
  return {};
}

std::optional<std::uint64_t> HostList::place_of(std::string_view name) const {
  std::uint64_t before = 0;
  for (const Entry& entry : entries_) {
    if (const auto place = place_in(entry, 0, name)) return before + *place;
    before += entry.size;
  }
  return {};
}

// Where numbers touch ("[1-20][1-20]") or the text between them has digits, each split is tried: at most
// max_digits to the power of max_brackets.
std::optional<std::uint64_t> HostList::place_in(const Entry& entry, std::size_t bracket,
                                                std::string_view name) {
  if (bracket == entry.numbers.size())
    return name == entry.behind ? std::optional<std::uint64_t>(0) : std::nullopt;
  const auto& [before, ranges] = entry.numbers[bracket];
  if (!name.starts_with(before)) return {};
  name.remove_prefix(before.size());
  std::uint64_t of_one = 1;
  for (std::size_t later = bracket + 1; later < entry.numbers.size(); ++later)
    of_one *= entry.numbers[later].ranges.size();
  for (std::size_t digits = 1; digits <= std::min(max_digits, name.size()); ++digits) {
    const auto place = ranges.place_of(name.substr(0, digits));
    if (!place) continue;
    if (const auto rest = place_in(entry, bracket + 1, name.substr(digits))) return *place * of_one + *rest;
  }
  return {};
}

}  // namespace cib
