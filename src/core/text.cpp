#include "container_ib/text.hpp"

#include <algorithm>

namespace cib {

namespace {

template <class Words>
std::string join_any(const Words& words, std::string_view separator) {
  std::string joined;
  for (const auto& word : words) {
    if (!joined.empty()) joined += separator;
    joined += word;
  }
  return joined;
}

// Reads the bracket expression that starts at pattern[at] ('['). Returns the index behind it, or npos when it
// has no end and so is an ordinary character.
std::size_t match_set(std::string_view pattern, std::size_t at, char c, bool& matches) {
  std::size_t i = at + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true; i < pattern.size(); first = false) {
    if (pattern[i] == ']' && !first) {
      matches = found != negated;
      return i + 1;
    }
    const char low = pattern[i++];
    char high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      high = pattern[i + 1];
      i += 2;
    }
    if (low <= c && c <= high) found = true;
  }
  return std::string_view::npos;
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    std::string piece(1, c);
    if (byte < 0x20 || byte > 0x7e) piece = "\\x" + hex(byte, 2);
    if (shown.size() + piece.size() > limit) return shown + "...";
    shown += piece;
  }
  return shown;
}

std::string hex(std::uint64_t value, unsigned digits) {
  std::string text;
  while (digits-- > 0) text += "0123456789abcdef"[value >> (4 * digits) & 0xf];
  return text;
}

std::string percent_encoded(std::string_view text, std::string_view plain) {
  std::string word;
  for (const char c : text) {
    const bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       plain.find(c) != std::string_view::npos;
    word += stays ? std::string(1, c) : '%' + hex(static_cast<unsigned char>(c), 2);
  }
  return word;
}

std::optional<std::string> percent_decoded(std::string_view word) {
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '%') {
      text += word[i];
      continue;
    }
    const auto digits = word.substr(i + 1, 2);
    const auto byte = whole_number<std::uint8_t>(digits, 16);
    if (digits.size() != 2 || !byte) return std::nullopt;
    text += static_cast<char>(*byte);
    i += 2;
  }
  return text;
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  return join_any(words, separator);
}

std::string join(const std::vector<std::string_view>& words, std::string_view separator) {
  return join_any(words, separator);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

namespace {

// How many letters have to be put in, left out, replaced or swapped with their neighbour (optimal string
// alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) rows[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      rows[i][j] = std::min(
          {rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  return rows.back().back();
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  constexpr std::size_t longest = 32;  // of our words; a longer one is none of them
  if (word.size() > longest) return {};
  std::string_view best;
  std::size_t least = 3;
  for (const std::string_view one : known) {
    const std::size_t needed = distance(word, one);
    if (needed < least && needed < one.size() - one.size() / 2) least = needed, best = one;
  }
  return best.empty() ? std::string() : "did you mean " + std::string(best) + "? ";
}

bool glob_match(std::string_view pattern, std::string_view text) {
  // Only the last '*' can need another try, so one remembered position is enough.
  std::size_t p = 0, t = 0, star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    bool matches = false;
    std::size_t next = p + 1;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    if (p < pattern.size()) {
      if (pattern[p] == '?') {
        matches = true;
      } else {
        const std::size_t behind =
            pattern[p] == '[' ? match_set(pattern, p, text[t], matches) : std::string_view::npos;
        if (behind == std::string_view::npos)
          matches = pattern[p] == text[t];
        else
          next = behind;
      }
    }
    if (matches) {
      p = next;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace cib
