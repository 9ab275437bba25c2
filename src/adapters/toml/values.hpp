// TOML values as the configuration's types. Each function answers false when the value is not of the form
// that the key allows.
#pragma once

namespace cib {
// toml++ checks some of its assumptions about a file's text only by assertions, and not all of them hold.
// This throws instead of ending the process.
[[noreturn]] void toml_assumption_failed();
}  // namespace cib

#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ASSERT(condition) (static_cast<bool>(condition) ? void() : ::cib::toml_assumption_failed())
#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "container_ib/config.hpp"

namespace cib {

bool read_bool(const toml::node& node, bool& value);
bool read_fraction(const toml::node& node, double& value);
bool read_number(const toml::node& node, unsigned& value);
bool read_rate(const toml::node& node, std::optional<double>& gbps);
bool read_link_layer(const toml::node& node, std::optional<LinkLayer>& link_layer);
bool read_seconds(const toml::node& node, unsigned& value);
bool read_text(const toml::node& node, std::string& value);
bool read_absolute_path(const toml::node& node, std::string& value);
// One string stands for a list of one.
bool read_texts(const toml::node& node, std::vector<std::string>& values);
bool read_modes(const toml::node& node, std::vector<Mode>& modes);
bool read_pkeys(const toml::node& node, std::vector<std::uint16_t>& pkeys);
bool read_bytes(const toml::node& node, std::optional<std::uint64_t>& bytes);  // "unlimited", 1024, "64M"

// The value of a variable: text, or a whole number in its place.
std::optional<std::string> as_variable(const toml::node& node);

// The value of a user's key as the option's text would have it: true is "yes", 2 is "2", a list is joined
// with '+'.
std::optional<std::string> as_option_text(const std::string& key, const toml::node& node);

// What stands in the file, short enough for a message.
std::string shown(const toml::node& node);

}  // namespace cib
