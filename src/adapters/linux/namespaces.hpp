// Namespaces by the names that /proc gives them: a kind ("mnt", "net"...) and an inode number, which no other
// namespace has while somebody holds this one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "container_ib/result.hpp"

namespace cib {

// Of a descriptor, which may come from a process that is not trusted; denied when it is no namespace of this
// kind. Only its name is read: fstat, fstatfs and ioctl on a file of a FUSE file system are answered by
// whoever serves it, or never.
Result<std::uint64_t> namespace_of_descriptor(int fd, const std::string& kind);

// The one that a process is in; ended when the process is gone.
Result<std::uint64_t> namespace_of_process(pid_t pid, const std::string& kind);

}  // namespace cib
