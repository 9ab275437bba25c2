#pragma once

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// The whole life of the relay's process: gives up every privilege, says on the control socket that it serves
// (or why it cannot), and relays until it is over (relay.hpp). `owner` is the pidfd of slurmstepd. Every
// other descriptor above standard error is closed. `limit_calls` is called when nothing but relaying is left
// to do.
Status serve_relay(UniqueFd control, UniqueFd owner, Status (*limit_calls)());

}  // namespace cib
