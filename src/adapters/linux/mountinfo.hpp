// The mounts of a mount namespace, as /proc/PID/mountinfo lists them (proc(5)).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

struct Mount {
  std::uint64_t id = 0;  // as statx() has it (STATX_MNT_ID)
  bool shared = false;   // what is mounted in it shows in copies of this mount namespace
  std::string root;      // what of the file system it shows: "/docker/1"
  std::string point;     // where: "/sys/fs/cgroup/freezer"
  std::string kind;      // "cgroup2"
  std::string super;     // options of the file system: "rw,freezer"
  std::string source;    // what it was made of: "/dev/sda1", or what who mounted it says
};

// In the order of the list. A line that is none is passed over.
std::vector<Mount> parse_mountinfo(const std::string& text);

// What this process sees. An error of code kernel when /proc cannot be read.
Result<std::vector<Mount>> own_mounts();

}  // namespace cib
