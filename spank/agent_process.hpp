// Starting the agent from a multi-threaded root process: fork, system calls only, exec.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"
#include "spank/plugstack_args.hpp"
#include "spank/spank_abi.hpp"

namespace cib {

// Our end of the lifeline of a new agent. The agent is a child of init, in a session of its own, with an
// empty environment and no descriptor of ours but its end.
Result<UniqueFd> start_agent(const PlugstackArgs& args);

// Gives back what dead steps left on this node; does not wait for it.
void reap_in_background(const PlugstackArgs& args);
// The same for the job of an epilog, waited for up to a few seconds: an epilog has a time limit.
void reap_job(spank_t spank, const PlugstackArgs& args);
// The same from slurmstepd itself when its step is over and its agent is gone: that this slurmstepd lives
// says nothing then. What there is to tell of the agent's death, in lines for the user.
std::vector<std::string> reap_own_step(std::uint32_t job, const PlugstackArgs& args);

// What the journal of a step ("17.0") tells of its agent's death, in lines for the user; a few seconds at
// most.
std::vector<std::string> death_of_agent(const std::string& step, const PlugstackArgs& args);

}  // namespace cib
