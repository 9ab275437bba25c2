// The table of modes: a new one is a row here, a row of mode_table in container_ib/mode.hpp, and its own
// file.
#include <array>

#include "app/modes/mode_unit.hpp"

namespace cib {

// Each is in the file of its name.
const ModeUnit& verbs_mode();
const ModeUnit& vf_mode();
const ModeUnit& ipoib_mode();
const ModeUnit& macvlan_mode();
const ModeUnit& overlay_mode();
const ModeUnit& device_mode();

namespace {

struct Row {
  Mode mode;
  const ModeUnit& (*unit)();
};

constexpr std::array table = {
    Row{Mode::verbs, verbs_mode},     Row{Mode::vf, vf_mode},           Row{Mode::ipoib, ipoib_mode},
    Row{Mode::macvlan, macvlan_mode}, Row{Mode::overlay, overlay_mode}, Row{Mode::device, device_mode},
};

constexpr bool has_row(Mode mode) {
  for (const Row& row : table)
    if (row.mode == mode) return true;
  return false;
}

constexpr bool is_complete() {
  for (const ModeName& name : mode_table)
    if ((name.is == ModeName::Is::here) != has_row(name.mode)) return false;
  return true;
}
static_assert(is_complete(), "a mode that users can name has no unit, or the other way round");

}  // namespace

const ModeUnit* unit_of(Mode mode) {
  for (const Row& row : table)
    if (row.mode == mode) return &row.unit();
  return nullptr;
}

}  // namespace cib
