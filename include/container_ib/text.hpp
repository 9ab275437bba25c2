// Small text functions that messages and parsers share.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cib {

// Untrusted text as one line of a message may show it: anything but printable ASCII as \xNN, cut to `limit`
// characters with "..." behind.
std::string printable(std::string_view text, std::size_t limit = 80);

// The lowest `digits` hexadecimal digits of a number: "00ff".
std::string hex(std::uint64_t value, unsigned digits);

// A word, without blanks, for any text: "a%20b". Letters, digits and the characters of `plain` stay, any
// other byte is two hexadecimal digits behind a '%'.
std::string percent_encoded(std::string_view text, std::string_view plain);
// And back; nothing when a '%' has not two digits behind it.
std::optional<std::string> percent_decoded(std::string_view word);

// "a, b, c"
std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");
std::string join(const std::vector<std::string_view>& words, std::string_view separator = ", ");

std::vector<std::string_view> split(std::string_view text, char separator);

// What a path ends in, behind the last '/'; the whole of a name without one.
inline std::string_view last_component(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// "did you mean hca? " for a word that is one of `known` but for two letters at most, which are missing, too
// many, others, or the other way round; empty when there is no such, or the word is too short to tell.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

// Shell glob: * ? [abc] [a-z] [!a]; no escapes, no special leading dot. Linear in |pattern| * |text|.
bool glob_match(std::string_view pattern, std::string_view text);

// The whole text as one unsigned number of that base, without sign, prefix or blank.
template <class T>
std::optional<T> whole_number(std::string_view text, int base = 10) {
  T value{};
  const char* end = text.data() + text.size();
  if (text.empty() || text[0] == '-') return std::nullopt;
  const auto [stop, errc] = std::from_chars(text.data(), end, value, base);
  if (errc != std::errc{} || stop != end) return std::nullopt;
  return value;
}

// The same of a hexadecimal one behind "0x": "0x8001".
template <class T>
std::optional<T> prefixed_hex(std::string_view text) {
  return text.starts_with("0x") ? whole_number<T>(text.substr(2), 16) : std::nullopt;
}

}  // namespace cib
