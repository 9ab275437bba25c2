// What every private network has: its namespace, and interfaces that are up.
#pragma once

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

Status apply(const MakeNetns& action);
Status undo(const MakeNetns& action);
Status verify(const MakeNetns& action);

// Keeps the namespace of a process, if open_network_namespace_of() finds one that may get interfaces.
Status apply(const PinNetns& action);
Status undo(const PinNetns& action);
Status verify(const PinNetns& action);

Status apply(const RaiseLink& action);
Status undo(const RaiseLink& action);
// Wanted up and running, with its address and MTU. By name: who made the interface verifies that it has it.
Status verify(const RaiseLink& action);

}  // namespace cib
