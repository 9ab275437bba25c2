// Mode ipoib: for each port a task gets an IPoIB child interface of it, in a network namespace of its own.
#pragma once

#include "app/modes/mode_unit.hpp"

namespace cib {

const ModeUnit& ipoib_mode();

}  // namespace cib
