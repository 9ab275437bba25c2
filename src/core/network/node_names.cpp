#include "container_ib/node_names.hpp"

#include <algorithm>

#include "container_ib/text.hpp"
#include "host_list.hpp"

namespace cib {

namespace {

constexpr std::size_t longest_node_name = 255;
constexpr std::size_t longest_number = 9;
constexpr std::string_view of_names = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

// Either a character that a name has there, a '?', '*' or set of a glob, or numbers.
struct Piece {
  std::string_view glob;  // "n", "?", "*", "[!ab]"
  std::optional<NumberRanges> numbers = {};
};

Error names_none(std::string_view text, const std::string& why) {
  return error(Errc::bad_config, "'" + printable(text) + "' names no nodes: " + why);
}

// The set or the numbers that begin with a '[' of the entry's.
Result<Piece> bracket_of(std::string_view entry, std::size_t open) {
  const auto close = entry.find(']', open);
  if (close == std::string_view::npos) return names_none(entry, "a [ without its ]");
  const auto inside = entry.substr(open + 1, close - open - 1);
  Piece piece{entry.substr(open, close - open + 1)};
  if (inside.find_first_not_of("0123456789-,") == std::string_view::npos) {
    piece.numbers = NumberRanges::parse(inside);
    if (!piece.numbers)
      return names_none(entry,
                        "'" + printable(inside) + "' are no numbers such as 01-16,20 in ascending ranges");
    return piece;
  }
  const auto set = inside.substr(inside.starts_with('!') || inside.starts_with('^') ? 1 : 0);
  if (set.empty() || set.find_first_not_of(of_names) != std::string_view::npos)
    return names_none(entry, "'" + printable(inside) + "' is no set of characters such as a-f or !ab");
  return piece;
}

Result<std::vector<Piece>> pieces_of(std::string_view entry) {
  if (entry.empty()) return names_none(entry, "a name is empty");
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < entry.size();) {
    if (entry[i] == '[') {
      CIB_TRY(pieces.emplace_back(), bracket_of(entry, i));
    } else if (entry[i] == '*' || entry[i] == '?' || of_names.find(entry[i]) != std::string_view::npos) {
      pieces.push_back({entry.substr(i, 1)});
    } else {
      return names_none(entry, "'" + printable(entry.substr(i, 1)) + "' is in no name of a node");
    }
    i += pieces.back().glob.size();
  }
  return pieces;
}

// Ends[i]: the pieces so far fit the first i characters of the name.
using Ends = std::vector<bool>;

Ends step(const Ends& before, const Piece& piece, std::string_view name) {
  Ends after(before.size(), false);
  for (std::size_t at = 0; at < before.size(); ++at) {
    if (!before[at]) continue;
    if (piece.numbers) {
      for (std::size_t digits = 1; digits <= longest_number && at + digits <= name.size(); ++digits)
        if (piece.numbers->place_of(name.substr(at, digits))) after[at + digits] = true;
    } else if (piece.glob == "*") {
      std::fill(after.begin() + static_cast<std::ptrdiff_t>(at), after.end(), true);
      break;
    } else if (at < name.size() && glob_match(piece.glob, name.substr(at, 1))) {
      after[at + 1] = true;
    }
  }
  return after;
}

bool fits(std::string_view entry, std::string_view name) {
  const auto pieces = pieces_of(entry);
  if (!pieces) return false;
  Ends ends(name.size() + 1, false);
  ends[0] = true;
  for (const Piece& piece : *pieces) ends = step(ends, piece, name);
  return ends[name.size()];
}

}  // namespace

Status check_node_names(std::string_view text) {
  for (const auto entry : host_list_entries(text))
    if (auto pieces = pieces_of(entry); !pieces) return std::move(pieces).error();
  return {};
}

bool names_node(const std::vector<std::string>& texts, std::string_view node) {
  if (node.size() > longest_node_name) return false;
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
    const auto entries = host_list_entries(text);
    return std::any_of(entries.begin(), entries.end(), [&](auto entry) { return fits(entry, node); });
  });
}

bool names_every_node(const std::vector<std::string>& texts) {
  return std::any_of(texts.begin(), texts.end(), [](const std::string& text) {
    const auto entries = host_list_entries(text);
    return std::any_of(entries.begin(), entries.end(), [](auto entry) {
      return !entry.empty() && entry.find_first_not_of('*') == std::string_view::npos;
    });
  });
}

}  // namespace cib
