// The relay (src/relay) as the agent has it: a child process, spoken to on a control socket.
#pragma once

#include <sys/types.h>

#include <string>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/endpoint.hpp"
#include "container_ib/result.hpp"

namespace cib {

struct RelayProcess {
  UniqueFd control;
  pid_t pid = -1;  // our child: its number is its own until end_relay()
  UniqueFd pidfd;
};

// Starts this program, or another file of it, as a relay in this network namespace and waits a few seconds
// until it has given up its privileges (which needs CAP_SETUID and CAP_SETGID) and serves. It ends by
// end_relay(), or, should this process not come to that, when slurmstepd does.
Result<RelayProcess> start_relay(int stepd_pidfd, const std::string& program = "/proc/self/exe");

// From now on, until the task behind the pidfd ends, what connects to the listening socket is relayed to the
// target. The socket must be non-blocking and the target be one that slurmstepd listens on
// (check_listening()). Peer_gone when the relay is gone. Both descriptors stay the caller's, who should
// close the socket: each copy of it keeps the task's network namespace.
Status relay_listener(const RelayProcess& relay, int listener, int task_pidfd, const TcpEndpoint& target);

// Ends the relay, if need be by force, and waits for it. Its connections are closed, its hold on the tasks'
// network namespaces is gone.
void end_relay(RelayProcess relay);

}  // namespace cib
