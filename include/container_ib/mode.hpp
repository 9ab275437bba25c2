// The modes by name. What each does: src/app/modes.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

enum class Mode { none, auto_, verbs, vf, ipoib, macvlan, overlay, device, ovs };

struct ModeName {
  enum class Is {
    word,   // auto and none: they stand for a mode, or for none
    here,   // has a unit (src/app/modes)
    later,  // reserved: srun refuses it in this version
  };
  Mode mode;
  std::string_view name;
  Is is;
  // Whether a task that asks for it may end up in a network namespace of its own. If so it waits in
  // task_init_privileged, as root, to be told; auto is the site's choice.
  bool may_be_private;
};

inline constexpr std::array mode_table = {
    ModeName{Mode::auto_, "auto", ModeName::Is::word, true},
    ModeName{Mode::verbs, "verbs", ModeName::Is::here, false},
    ModeName{Mode::vf, "vf", ModeName::Is::here, true},
    ModeName{Mode::ipoib, "ipoib", ModeName::Is::here, true},
    ModeName{Mode::macvlan, "macvlan", ModeName::Is::here, true},
    ModeName{Mode::overlay, "overlay", ModeName::Is::here, true},
    ModeName{Mode::device, "device", ModeName::Is::here, true},
    ModeName{Mode::ovs, "ovs", ModeName::Is::later, true},
    ModeName{Mode::none, "none", ModeName::Is::word, false},
};

std::string_view mode_name(Mode mode);
std::optional<Mode> mode_from_name(std::string_view name);
std::string mode_names();             // all: "auto, verbs, vf, ..., none"
std::string modes_of_this_version();  // those that users can ask for: "auto, verbs, ..., none"
// Those that are no mere words, be they in this version or not.
std::vector<Mode> all_modes();
// Whether this version has the mode: ok, or an error of code unsupported that names what it has.
Status check_mode(Mode mode);
bool may_be_private(Mode mode);

}  // namespace cib
