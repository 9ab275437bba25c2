#include "values.hpp"

#include <array>
#include <stdexcept>

#include "container_ib/model.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::int64_t max_seconds = 3600;

bool is_16_bits(std::int64_t number) { return number >= 0 && number <= 0xffff; }

// Written as 0x8001 or as "0x8001".
std::optional<std::uint16_t> pkey_of(const toml::node& node) {
  const auto number = node.value_exact<std::int64_t>();
  if (number && !is_16_bits(*number)) return std::nullopt;
  const std::string text =
      number ? pkey_text(static_cast<std::uint16_t>(*number)) : node.value_exact<std::string>().value_or("");
  Request scratch;
  return set_key(scratch, "pkey", text) ? scratch.pkey : std::nullopt;
}

}  // namespace

void toml_assumption_failed() { throw std::logic_error("not TOML 1.0"); }

bool read_bool(const toml::node& node, bool& value) {
  const auto read = node.value_exact<bool>();
  if (read) value = *read;
  return read.has_value();
}

bool read_fraction(const toml::node& node, double& value) {
  const auto read = node.value<double>();  // also takes an integer: 0 and 1
  if (!read || !(*read >= 0 && *read <= 1)) return false;
  value = *read;
  return true;
}

bool read_number(const toml::node& node, unsigned& value) {
  const auto read = node.value_exact<std::int64_t>();
  if (!read || *read < 0 || *read > INT32_MAX) return false;
  value = static_cast<unsigned>(*read);
  return true;
}

bool read_rate(const toml::node& node, std::optional<double>& gbps) {
  const auto read = node.value<double>();
  if (!read || !(*read > 0 && *read < 1e6)) return false;
  gbps = read;
  return true;
}

// As sysfs writes it.
bool read_link_layer(const toml::node& node, std::optional<LinkLayer>& link_layer) {
  const auto text = node.value_exact<std::string>();
  if (text == "InfiniBand") link_layer = LinkLayer::infiniband;
  if (text == "Ethernet") link_layer = LinkLayer::ethernet;
  return link_layer.has_value();
}

bool read_seconds(const toml::node& node, unsigned& value) {
  const auto read = node.value_exact<std::int64_t>();
  if (!read || *read < 1 || *read > max_seconds) return false;
  value = static_cast<unsigned>(*read);
  return true;
}

bool read_text(const toml::node& node, std::string& value) {
  const auto read = node.value_exact<std::string>();
  if (!read || read->empty()) return false;
  value = *read;
  return true;
}

bool read_absolute_path(const toml::node& node, std::string& value) {
  std::string path;
  if (!read_text(node, path) || path[0] != '/' || path.find('\0') != std::string::npos) return false;
  value = path;
  return true;
}

bool read_texts(const toml::node& node, std::vector<std::string>& values) {
  std::vector<std::string> list(1);
  if (const auto* array = node.as_array()) {
    list.resize(array->size());
    for (std::size_t i = 0; i < list.size(); ++i)
      if (!read_text((*array)[i], list[i])) return false;
  } else if (!read_text(node, list[0])) {
    return false;
  }
  values = std::move(list);
  return true;
}

bool read_modes(const toml::node& node, std::vector<Mode>& modes) {
  std::vector<std::string> names;
  if (!read_texts(node, names)) return false;
  std::vector<Mode> list;
  for (const auto& name : names) {
    const auto mode = mode_from_name(name);
    if (!mode || *mode == Mode::auto_ || *mode == Mode::none) return false;
    list.push_back(*mode);
  }
  modes = std::move(list);
  return true;
}

bool read_pkeys(const toml::node& node, std::vector<std::uint16_t>& pkeys) {
  const auto* array = node.as_array();
  if (array == nullptr) return false;
  std::vector<std::uint16_t> list;
  for (const auto& entry : *array) {
    const auto pkey = pkey_of(entry);
    if (!pkey) return false;
    list.push_back(*pkey);
  }
  pkeys = std::move(list);
  return true;
}

bool read_bytes(const toml::node& node, std::optional<std::uint64_t>& bytes) {
  struct Suffix {
    char letter;
    unsigned shift;
  };
  constexpr std::array suffixes = {Suffix{'k', 10}, Suffix{'M', 20}, Suffix{'G', 30}};

  if (const auto number = node.value_exact<std::int64_t>()) {
    if (*number < 0) return false;
    bytes = static_cast<std::uint64_t>(*number);
    return true;
  }
  std::string text;
  if (!read_text(node, text)) return false;
  if (text == "unlimited") {
    bytes.reset();
    return true;
  }
  unsigned shift = 0;
  for (const auto& suffix : suffixes)
    if (text.back() == suffix.letter) shift = suffix.shift;
  if (shift != 0) text.pop_back();
  const auto count = whole_number<std::uint64_t>(text);
  if (!count || *count > (UINT64_MAX >> shift)) return false;
  bytes = *count << shift;
  return true;
}

std::optional<std::string> as_variable(const toml::node& node) {
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  return node.value_exact<std::string>();
}

std::optional<std::string> as_option_text(const std::string& key, const toml::node& node) {
  if (const auto truth = node.value_exact<bool>()) return *truth ? "yes" : "no";
  if (const auto number = node.value_exact<std::int64_t>())
    return key == "pkey" && is_16_bits(*number) ? pkey_text(static_cast<std::uint16_t>(*number))
                                                : std::to_string(*number);
  std::vector<std::string> words;
  if (!read_texts(node, words)) return std::nullopt;
  return join(words, "+");
}

std::string shown(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return "\"" + printable(*text) + "\"";
  if (const auto truth = node.value_exact<bool>()) return *truth ? "true" : "false";
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto number = node.value_exact<double>()) return std::to_string(*number);
  if (node.is_table()) return "a table";
  if (node.is_array()) return "this list";
  return "a value of another type";
}

}  // namespace cib
