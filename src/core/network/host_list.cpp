#include "host_list.hpp"

#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::size_t max_digits = 9;

// At commas that are in no brackets.
std::vector<std::string_view> entries_of(std::string_view text) {
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

bool plain(std::string_view text) { return text.find_first_of("[], \t") == std::string_view::npos; }

}  // namespace

std::optional<HostList> HostList::parse(std::string_view text) {
  HostList list;
  for (const auto entry : entries_of(text))
    if (!list.add(entry)) return {};
  return list;
}

bool HostList::add(std::string_view entry) {
  const auto open = entry.find('['), close = entry.find(']');
  if (open == std::string_view::npos) {
    if (entry.empty() || !plain(entry)) return false;
    ranges_.push_back({std::string(entry), ""});
    return true;
  }
  if (close == std::string_view::npos || close < open) return false;
  const auto prefix = entry.substr(0, open), suffix = entry.substr(close + 1);
  if (!plain(prefix) || !plain(suffix)) return false;
  for (const auto range : split(entry.substr(open + 1, close - open - 1), ',')) {
    const auto ends = split(range, '-');
    const auto first = whole_number<std::uint32_t>(ends.front()),
               last = whole_number<std::uint32_t>(ends.back());
    if (ends.size() > 2 || !first || !last || *last < *first || ends.back().size() > max_digits) return false;
    ranges_.push_back({std::string(prefix), std::string(suffix), first, *last, ends.front().size()});
  }
  return true;
}

std::uint64_t HostList::size() const {
  std::uint64_t sum = 0;
  for (const Range& range : ranges_) sum += range.size();
  return sum;
}

std::vector<std::string> HostList::names() const {
  std::vector<std::string> names;
  for (const Range& range : ranges_) {
    if (!range.first) {
      names.push_back(range.prefix);
      continue;
    }
    for (std::uint64_t number = *range.first; number <= range.last; ++number)
      names.push_back(range.prefix + range.written(static_cast<std::uint32_t>(number)) + range.suffix);
  }
  return names;
}

std::optional<std::uint64_t> HostList::place_of(std::string_view name) const {
  std::uint64_t before = 0;
  for (const Range& range : ranges_) {
    if (const auto place = range.place_of(name)) return before + *place;
    before += range.size();
  }
  return {};
}

std::optional<std::uint64_t> HostList::Range::place_of(std::string_view name) const {
  if (!name.starts_with(prefix)) return {};
  name.remove_prefix(prefix.size());
  if (!first) return name.empty() ? std::optional<std::uint64_t>(0) : std::nullopt;
  if (!name.ends_with(suffix)) return {};
  name.remove_suffix(suffix.size());
  const auto number = whole_number<std::uint32_t>(name);
  if (!number || *number < *first || *number > last) return {};
  if (name != written(*number)) return {};
  return *number - *first;
}

// 7 is not written 07 unless the list has it so; longer numbers are written in full.
std::string HostList::Range::written(std::uint32_t number) const {
  const std::string digits = std::to_string(number);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

}  // namespace cib
