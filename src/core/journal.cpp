#include "container_ib/journal.hpp"

#include <array>

#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::string_view unescaped = "_-.,:/*@+";  // what a value has as it is, beside letters and digits
constexpr std::string_view marks[] = {"intent", "done", "undone"};

// CRC-32 (IEEE 802.3, reflected), as zlib's crc32().
std::uint32_t crc32(std::string_view bytes) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xedb88320U ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t crc = 0xffffffffU;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

std::string_view next_word(std::string_view& rest) {
  const auto space = rest.find(' ');
  const auto word = rest.substr(0, space);
  rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
  return word;
}

Result<Record> decode_line(std::string_view line) {
  std::string_view rest = line;
  if (next_word(rest) != "CIB1") return error(Errc::corrupt, "not a journal of this version");
  const auto crc = next_word(rest);
  if (crc != hex(crc32(rest), 8)) return error(Errc::corrupt, "checksum differs");
  Record record;
  const auto seq = whole_number<std::uint32_t>(next_word(rest));
  if (!seq) return error(Errc::corrupt, "bad sequence number");
  record.seq = *seq;
  const auto mark = next_word(rest);
  std::size_t m = 0;
  while (m < std::size(marks) && marks[m] != mark) ++m;
  if (m == std::size(marks)) return error(Errc::corrupt, "unknown mark");
  record.mark = static_cast<Mark>(m);
  record.verb = std::string(next_word(rest));
  while (!rest.empty()) {
    const auto word = next_word(rest);
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) return error(Errc::corrupt, "field without '='");
    auto value = percent_decoded(word.substr(equals + 1));
    if (!value) return error(Errc::corrupt, "bad escape");
    record.fields[std::string(word.substr(0, equals))] = *std::move(value);
  }
  return record;
}

}  // namespace

std::string Record::field(const std::string& key) const {
  const auto it = fields.find(key);
  return it == fields.end() ? std::string() : it->second;
}

std::string record_text(const Record& record) {
  std::string text = std::to_string(record.seq) + ' ' +
                     std::string(marks[static_cast<std::size_t>(record.mark)]) + ' ' + record.verb;
  for (const auto& [key, value] : record.fields) text += ' ' + key + '=' + percent_encoded(value, unescaped);
  return text;
}

std::string encode_record(const Record& record) {
  const std::string body = record_text(record);
  return "CIB1 " + hex(crc32(body), 8) + ' ' + body + '\n';
}

Result<std::vector<Record>> decode_journal(std::string_view contents) {
  std::vector<Record> records;
  while (!contents.empty()) {
    const auto newline = contents.find('\n');
    if (newline == std::string_view::npos) break;  // torn: the writer died before the effect
    auto record = decode_line(contents.substr(0, newline));
    if (!record) return std::move(record).error().in("journal line " + std::to_string(records.size() + 1));
    records.push_back(std::move(record).value());
    contents.remove_prefix(newline + 1);
  }
  return records;
}

namespace {

std::string ports_field(const std::vector<Record>& records, const std::string& key) {
  for (auto record = records.rbegin(); record != records.rend(); ++record)
    if (record->verb == "ports") return record->field(key);
  return {};
}

}  // namespace

std::string ports_of(const std::vector<Record>& records) { return ports_field(records, "ports"); }
std::string mode_of(const std::vector<Record>& records) { return ports_field(records, "mode"); }

std::string step_name(std::uint32_t job, std::uint32_t step) {
  const auto name = [&]() -> std::string {
    switch (step) {
      case 0xfffffffaU:
        return "interactive";
      case 0xfffffffbU:
        return "batch";
      case 0xfffffffcU:
        return "extern";
      default:
        return std::to_string(step);
    }
  };
  return std::to_string(job) + '.' + name();
}

}  // namespace cib
