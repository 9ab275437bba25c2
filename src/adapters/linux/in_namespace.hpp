// Runs a few system calls inside another namespace, in a throw-away child: whatever happens there, this
// process never leaves its own namespaces.
#pragma once

#include <string>

#include "container_ib/result.hpp"

namespace cib {

// Runs work(arg) in a forked child that has joined the mount namespace. It must make system calls only (no
// memory allocation is needed or safe to wait for) and returns 0 or an errno value. Ends the child after
// timeout_ms.
Status in_mount_namespace(int mount_namespace, int (*work)(void*), void* arg, const std::string& doing,
                          int timeout_ms);

// The same in a network namespace.
Status in_network_namespace(int network_namespace, int (*work)(void*), void* arg, const std::string& doing,
                            int timeout_ms);

}  // namespace cib
