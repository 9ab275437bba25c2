// What a process serves on the loopback addresses of this network namespace.
#pragma once

#include <vector>

#include "container_ib/endpoint.hpp"
#include "container_ib/result.hpp"

namespace cib {

// The TCP endpoints that the process behind the pidfd listens on in this network namespace, at loopback and
// wildcard addresses: the sockets it has open (/proc/PID/fd) that the kernel names as listening
// (sock_diag(7)). A wildcard IPv6 listener that also takes IPv4 is there twice. Ended when the
// process has. Waits at most a few seconds for the kernel; more than 65536 descriptors or listeners are an
// error.
Result<std::vector<TcpEndpoint>> listening_endpoints(int pidfd);

// Denied when the process does not serve that endpoint. Whoever is to connect to it on a user's word must ask
// first, else the user reaches any service of the host's loopback.
Status check_listening(int pidfd, const TcpEndpoint& endpoint);

// How many connections to these endpoints there are or have been within the last minute in this network
// namespace (who closes one first has it in TIME-WAIT for that long, RFC 9293 3.6.1, tcp_fin_timeout aside).
Result<unsigned> connections_to(const std::vector<TcpEndpoint>& endpoints);

}  // namespace cib
