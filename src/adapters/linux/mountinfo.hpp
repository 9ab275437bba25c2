// The mounts of a mount namespace, as /proc/PID/mountinfo lists them (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

struct Mount {
  std::uint64_t id = 0, parent = 0;  // as statx() has it (STATX_MNT_ID)
  std::string device;                // its st_dev: "0:57"
  std::string root;                  // what of the file system it shows: "/docker/1"
  std::string point;                 // where: "/sys/fs/cgroup/freezer"
  std::string kind;                  // "cgroup2"
  std::string super;                 // options of the file system: "rw,freezer"
  std::string source;                // what it was made of: "/dev/sda1", or what who mounted it says
  bool shared = false;  // what is mounted on it goes to other mount namespaces too (mount_namespaces(7))
};

// In the order of the list. A line that is none is passed over.
std::vector<Mount> parse_mountinfo(const std::string& text);

// The one that is seen at that path, which has no link in it: of several on each other the topmost, and none
// that lies below another one. Null: the list has no root.
const Mount* mount_at(const std::vector<Mount>& mounts, const std::string& path);

// What a process sees, with paths from its root. An error of code kernel when /proc cannot be read.
Result<std::vector<Mount>> mounts_of(pid_t pid);
// What this process sees. An error of code kernel when /proc cannot be read.
Result<std::vector<Mount>> own_mounts();

}  // namespace cib
