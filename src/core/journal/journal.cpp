#include "container_ib/journal.hpp"

#include <array>
#include <map>
#include <type_traits>
#include <utility>

#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::string_view version = "CIB1";
constexpr std::string_view unescaped = "_-.,:/*@+";  // what a value has as it is, beside letters and digits
constexpr std::string_view marks[] = {"intent", "done", "undone"};

using Fields = std::map<std::string, std::string>;

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

// ---- the fields of one event, by the type of each
// -----------------------------------------------------------------------------------------------

// What has no value is left out.
struct Writing {
  Fields& fields;

  void operator()(const std::string& name, const std::string& value) const { fields[name] = value; }
  void operator()(const std::string& name, bool value) const { fields[name] = value ? "yes" : "no"; }
  void operator()(const std::string& name, unsigned value) const { fields[name] = std::to_string(value); }
  void operator()(const std::string& name, const PciAddress& value) const { fields[name] = value.text(); }
  void operator()(const std::string& name, const std::optional<std::string>& value) const {
    if (value) fields[name] = *value;
  }
  void operator()(const std::string& name, const std::optional<std::uint16_t>& pkey) const {
    if (pkey) fields[name] = pkey_text(*pkey);
  }
  template <class Number>
  void operator()(const std::string& name, const std::optional<Number>& value) const {
    if (value) fields[name] = std::to_string(static_cast<std::uint64_t>(*value));
  }
};

// A text that is missing is empty, an optional value that is missing is none; `wrong` is the first field that
// is missing otherwise or has another form.
struct Reading {
  const Fields& fields;
  std::string& wrong;

  const std::string* text(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? nullptr : &found->second;
  }
  void is_wrong(const std::string& name) const {
    if (wrong.empty()) wrong = name;
  }
  template <class Number, class Value>
  void number(const std::string& name, std::string_view digits, Value& value) const {
    if (const auto read = whole_number<Number>(digits))
      value = static_cast<Value>(*read);
    else
      is_wrong(name);
  }

  void operator()(const std::string& name, std::string& value) const {
    if (const auto* found = text(name)) value = *found;
  }
  void operator()(const std::string& name, bool& value) const {
    const auto* found = text(name);
    value = found != nullptr && *found == "yes";
  }
  void operator()(const std::string& name, unsigned& value) const {
    const auto* found = text(name);
    number<unsigned>(name, found == nullptr ? "" : *found, value);
  }
  void operator()(const std::string& name, PciAddress& value) const {
    const auto* found = text(name);
    auto parsed = PciAddress::parse(found == nullptr ? "" : *found);
    parsed ? void(value = *parsed) : is_wrong(name);
  }
  void operator()(const std::string& name, std::optional<std::string>& value) const {
    if (const auto* found = text(name)) value = *found;
  }
  void operator()(const std::string& name, std::optional<std::uint16_t>& pkey) const {
    const auto* found = text(name);
    if (found == nullptr) return;
    pkey = prefixed_hex<std::uint16_t>(*found);
    if (!pkey) is_wrong(name);
  }
  template <class Number>
  void operator()(const std::string& name, std::optional<Number>& value) const {
    if (const auto* found = text(name)) number<std::uint64_t>(name, *found, value.emplace());
  }
};

struct Written {
  std::string verb;
  Fields fields;
};

struct Write {
  template <class Kind>
  Written operator()(const Kind& kind) const {
    Written written{std::string(Kind::verb), {}};
    Kind::each_field(kind, Writing{written.fields});
    return written;
  }
  Written operator()(const Undone& undone) const {
    return {undone.verb, {{"of", std::to_string(undone.of)}}};
  }
  Written operator()(const Action& action) const { return std::visit(*this, action); }
};

template <class Kind>
Result<Event> read(const Fields& fields) {
  Kind kind;
  std::string wrong;
  Kind::each_field(kind, Reading{fields, wrong});
  if (!wrong.empty())
    return error(Errc::corrupt, std::string(Kind::verb) + " with a field " + wrong + " that is none");
  if constexpr (std::is_constructible_v<Action, Kind>)
    return Event(Action(std::move(kind)));
  else
    return Event(std::move(kind));
}

// The kind among `Kinds` that has the verb. Empty: none; an Action is one of a variant of its own, and Undone
// has the verb of another.
template <class... Kinds>
std::optional<Result<Event>> read_one_of(const std::variant<Kinds...>*, const std::string& verb,
                                         const Fields& fields) {
  std::optional<Result<Event>> found;
  const auto try_kind = [&]<class Kind>(const Kind*) {
    if constexpr (std::is_same_v<Kind, Action>) {
      if (!found) found = read_one_of(static_cast<const Action*>(nullptr), verb, fields);
    } else if constexpr (!std::is_same_v<Kind, Undone>) {
      if (Kind::verb == verb) found = read<Kind>(fields);
    }
  };
  (..., try_kind(static_cast<const Kinds*>(nullptr)));
  return found;
}

Result<Event> read_event(Mark mark, const std::string& verb, const Fields& fields) {
  if (const auto of = fields.find("of"); mark == Mark::undone && of != fields.end()) {
    const auto seq = whole_number<std::uint32_t>(of->second);
    if (!seq) return error(Errc::corrupt, "undone of no record");
    return Event(Undone{verb, *seq});
  }
  if (auto event = read_one_of(static_cast<const Event*>(nullptr), verb, fields)) return std::move(*event);
  return error(Errc::corrupt, "'" + printable(verb) + "' is nothing that this release does");
}

// ---- a line
// -----------------------------------------------------------------------------------------------

Result<Record> decode_line(std::string_view line) {
  std::string_view rest = line;
  if (const auto word = next_word(rest); word != version) {
    const bool other = word.starts_with("CIB");
    return error(Errc::corrupt, other ? "is of version " + printable(word) + ", and this release knows " +
                                            std::string(version) + "; the release that wrote it can reap it"
                                      : std::string("not a journal of this version"));
  }
  const auto crc = next_word(rest);
  if (crc != hex(crc32(rest), 8)) return error(Errc::corrupt, "checksum differs");
  const auto seq = whole_number<std::uint32_t>(next_word(rest));
  if (!seq) return error(Errc::corrupt, "bad sequence number");
  const auto mark = next_word(rest);
  std::size_t m = 0;
  while (m < std::size(marks) && marks[m] != mark) ++m;
  if (m == std::size(marks)) return error(Errc::corrupt, "unknown mark");
  const std::string verb(next_word(rest));
  Fields fields;
  while (!rest.empty()) {
    const auto word = next_word(rest);
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) return error(Errc::corrupt, "field without '='");
    auto value = percent_decoded(word.substr(equals + 1));
    if (!value) return error(Errc::corrupt, "bad escape");
    fields[std::string(word.substr(0, equals))] = *std::move(value);
  }
  CIB_TRY(Event event, read_event(static_cast<Mark>(m), verb, fields));
  return Record{*seq, static_cast<Mark>(m), std::move(event)};
}

struct Describe {
  std::string operator()(const TaskNoted& task) const { return "task of task " + std::to_string(task.task); }
  std::string operator()(const ProvidersLent& lent) const {
    return std::string(ProvidersLent::verb) + " of task " + std::to_string(lent.task);
  }
  std::string operator()(const DevicesMounted& devices) const {
    return std::string(DevicesMounted::verb) + " of task " + std::to_string(devices.task);
  }
  std::string operator()(const Undone& undone) const { return undone.verb; }
  std::string operator()(const Action& action) const {
    return std::string(verb_of(action)) + " of " + thing_of(action);
  }
  template <class Note>
  std::string operator()(const Note&) const {
    return std::string(Note::verb);
  }
};

}  // namespace

std::string record_text(const Record& record) {
  const Written written = std::visit(Write(), record.event);
  std::string text = std::to_string(record.seq) + ' ' +
                     std::string(marks[static_cast<std::size_t>(record.mark)]) + ' ' + written.verb;
  for (const auto& [key, value] : written.fields) text += ' ' + key + '=' + percent_encoded(value, unescaped);
  return text;
}

std::string encode_record(const Record& record) {
  const std::string body = record_text(record);
  return std::string(version) + ' ' + hex(crc32(body), 8) + ' ' + body + '\n';
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

std::string describe(const Event& event) { return std::visit(Describe(), event); }

const Opened* opened(const std::vector<Record>& records) {
  return records.empty() ? nullptr : get_if<Opened>(records.front());
}

PortsNoted ports_of(const std::vector<Record>& records) {
  for (auto record = records.rbegin(); record != records.rend(); ++record)
    if (const auto* found = get_if<PortsNoted>(*record)) return *found;
  return {};
}

std::string ports_in_container(const std::vector<Record>& records, const std::string& container) {
  std::map<unsigned, std::string> mounted;  // by the task that it was done for
  for (const Record& record : records) {
    const auto* devices = get_if<DevicesMounted>(record);
    if (devices == nullptr || devices->container != container) continue;
    if (record.mark == Mark::undone)
      mounted.erase(devices->task);
    else
      mounted[devices->task] = devices->ports;
  }
  return mounted.empty() ? "" : mounted.begin()->second;
}

std::string quarantined(const std::vector<Record>& records) {
  for (const Record& record : records)
    if (const auto* found = get_if<Quarantined>(record)) return found->process;
  return {};
}

namespace {

constexpr std::string_view by_process = "pid-";

const Record* last_mount(const std::vector<Record>& records) {
  for (auto record = records.rbegin(); record != records.rend(); ++record)
    if (get_if<DevicesMounted>(*record) != nullptr) return &*record;
  return nullptr;
}

}  // namespace

std::string container_attachment(const std::string& pid) { return std::string(by_process) + pid; }

bool is_container_attachment(const std::string& name) {
  return name.starts_with(by_process) && whole_number<std::uint32_t>(name.substr(by_process.size()));
}

std::string title_of(const std::string& name) {
  return (is_container_attachment(name) ? "attachment " : "step ") + name;
}

bool is_whole_attachment(const std::vector<Record>& records) {
  const Record* last = last_mount(records);
  return last != nullptr && last->mark == Mark::done;
}

std::string container_of(const std::vector<Record>& records) {
  const Record* last = last_mount(records);
  return last == nullptr ? std::string() : get_if<DevicesMounted>(*last)->container;
}

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
