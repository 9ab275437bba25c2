// Mode verbs: devices and environment; the network stays the node's.
#pragma once

#include "app/modes/mode_unit.hpp"

namespace cib {

const ModeUnit& verbs_mode();

}  // namespace cib
