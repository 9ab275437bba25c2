// Mode vf: for each port a task gets an SR-IOV VF of its HCA, in a network namespace of its own.
#pragma once

#include "app/modes/mode_unit.hpp"

namespace cib {

const ModeUnit& vf_mode();

}  // namespace cib
