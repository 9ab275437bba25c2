#include <array>

#include "container_ib/request.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

struct ModeEntry {
  Mode mode;
  std::string_view name;
  bool in_this_version;
};

constexpr std::array modes = {
    ModeEntry{Mode::auto_, "auto", true},
    ModeEntry{Mode::verbs, "verbs", true},
    ModeEntry{Mode::vf, "vf", true},
    ModeEntry{Mode::ipoib, "ipoib", true},
    ModeEntry{Mode::macvlan, "macvlan", false},
    ModeEntry{Mode::overlay, "overlay", false},
    ModeEntry{Mode::ovs, "ovs", false},
    ModeEntry{Mode::none, "none", true},
};

}  // namespace

std::string_view mode_name(Mode mode) {
  for (const auto& entry : modes)
    if (entry.mode == mode) return entry.name;
  return "invalid";
}

std::optional<Mode> mode_from_name(std::string_view name) {
  for (const auto& entry : modes)
    if (entry.name == name) return entry.mode;
  return std::nullopt;
}

const std::vector<std::string_view>& mode_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> list;
    for (const auto& entry : modes) list.push_back(entry.name);
    return list;
  }();
  return names;
}

bool may_be_private(Mode mode) { return mode != Mode::verbs && mode != Mode::none; }

std::string modes_of_this_version() {
  std::vector<std::string_view> available;
  for (const auto& entry : modes)
    if (entry.in_this_version) available.push_back(entry.name);
  return join(available);
}

Status check_mode(Mode mode) {
  for (const auto& entry : modes)
    if (entry.mode == mode && entry.in_this_version) return {};
  const std::string name(mode_name(mode));
  return error(Errc::unsupported, "--container-ib=" + name + ": mode " + name +
                                      " is not in this version; available: " + modes_of_this_version());
}

}  // namespace cib
