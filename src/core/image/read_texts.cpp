#include <algorithm>

#include "container_ib/image.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!(line = trimmed(line)).empty()) {
    words.push_back(line.substr(0, line.find_first_of(blanks)));
    line.remove_prefix(words.back().size());
  }
  return words;
}

// A relative pattern counts from the folder of /etc/ld.so.conf.
std::string absolute(std::string_view pattern) {
  return pattern.starts_with('/') ? std::string(pattern) : "/etc/" + std::string(pattern);
}

bool is_printable(char c) { return c >= 0x20 && c < 0x7f; }

}  // namespace

// As ldconfig reads it: a line is one folder, of which a '=' and what follows is no part.
LoaderConf parse_loader_conf(std::string_view text) {
  LoaderConf conf;
  for (const auto raw : split(text, '\n')) {
    const auto line = trimmed(raw.substr(0, raw.find('#')));
    const auto words = words_of(line);
    if (words.empty() || words[0] == "hwcap") continue;
    if (words[0] == "include")
      std::transform(words.begin() + 1, words.end(), std::back_inserter(conf.includes), absolute);
    else if (line.starts_with('/'))
      conf.folders.emplace_back(trimmed(line.substr(0, line.find('='))));
  }
  return conf;
}

std::string_view text_with(std::string_view binary, std::string_view part) {
  const auto found = binary.find(part);
  if (found == std::string_view::npos) return {};
  std::size_t begin = found, end = found + part.size();
  while (begin > 0 && is_printable(binary[begin - 1])) --begin;
  while (end < binary.size() && is_printable(binary[end])) ++end;
  return binary.substr(begin, end - begin);
}

}  // namespace cib
