// A listening socket of another network namespace.
#pragma once

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/endpoint.hpp"
#include "container_ib/result.hpp"

namespace cib {

// A TCP socket that listens on the endpoint inside that network namespace, whose loopback device must be up:
// non-blocking, close-on-exec, with at most 64 connections waiting to be accepted. Made in a throw-away
// child (in_namespace.hpp), so this process never enters the namespace. Closing the socket gives up its hold
// on the namespace: while it is open, the namespace and the devices in it stay, whoever has ended.
Result<UniqueFd> listen_in_network(int network_namespace, const TcpEndpoint& endpoint);

}  // namespace cib
