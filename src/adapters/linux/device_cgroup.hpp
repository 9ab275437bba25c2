// Which devices the cgroups of a process let it use: programs in version 2, lists in version 1. What an
// engine gave its container is widened by the nodes that are attached, and by nothing else.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "container_ib/device_program.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Whether programs say it at all: as a rule none does.
Result<bool> has_device_programs(pid_t pid);
// Those that some program of the process' cgroups (version 2) keeps from it. A program that does what device
// programs do not is passed over: what it says is seen when the device is opened.
Result<std::vector<DeviceNumber>> devices_kept_from(pid_t pid, const std::vector<DeviceNumber>& devices);

// A cgroup that is to be changed, by its directory, and its inode number, which no other cgroup of this boot
// gets, and what its processes, and those below it, shall be able to open for reading and writing.
struct WidenedCgroup {
  std::string directory, inode;
  std::vector<DeviceNumber> devices;
};

struct KeepingCgroups {
  std::vector<WidenedCgroup> to_widen;
  std::vector<std::string> unknown;  // directories of those with a program that lets_open() does not know
};

// Those that keep some of these devices from the process. All that is in the process' own cgroup, or below
// it, gets the devices.
//
// Denied when it is a cgroup of other processes too that does: the root, a slice (systemd.slice(5)), or one
// above the process' own that has processes in it, or other children with processes in them.
Result<KeepingCgroups> device_cgroups_to_widen(pid_t pid, const std::vector<DeviceNumber>& devices);

// Each program that keeps one of them is replaced by one that asks for these devices first (one more program
// would only take away); a list gets them added. not_found when the cgroup is gone.
Status widen_device_cgroup(const WidenedCgroup& cgroup);
// Undoes it, also what was only begun. Success when the cgroup is gone, or somebody else has changed its
// program since.
Status narrow_device_cgroup(const WidenedCgroup& cgroup);
// changed when it keeps one of them again; not_found when it is gone.
Status verify_device_cgroup(const WidenedCgroup& cgroup);

}  // namespace cib
