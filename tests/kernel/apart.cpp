// The tests of this tier run where no process but their own can be seen: they kill, and the agent is offered
// the host's own mount namespace and kills what is in a task's.
#include "support/own_processes.hpp"

namespace {

[[maybe_unused]] const bool apart = cib::test::enter_own_processes();

}  // namespace
