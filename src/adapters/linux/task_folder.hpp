// A task's folder (container_ib/task_folder.hpp) on this machine: a read-only tmpfs in a directory of root's.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "adapters/linux/container.hpp"
#include "adapters/linux/devices.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Attaches an empty one that only root can enter at `path`, which must not be there; the directory above is
// made. Unsupported when that is on a mount which passes nothing on to other mount namespaces (not shared),
// so that not even the task would see it.
Status make_task_folder(const std::string& path);

// The order is that of the functions: who owns it cannot enter it before everything is in it.
Status put_devices_into(const std::string& folder, const std::vector<DeviceNode>& nodes);
Status take_devices_out_of(const std::string& folder);
// With /sys/class as put_hca_classes() makes it for these nodes. `files`: contents by path in the folder, at
// most one directory deep.
Status finish_task_folder(const std::string& folder, const std::vector<DeviceNode>& nodes,
                          const std::map<std::string, std::string>& files, const FileOwner& owner);

// Whether the mount namespace has it too. Unsupported when what is mounted on the node does not show there,
// as in the private one that Slurm's job_container/tmpfs makes.
Status check_shows(int mount_namespace, const std::string& folder);

// Whether it is there. not_found when it is not.
Status verify_task_folder(const std::string& folder);

// Takes it away, whoever uses it; what is open of its devices stays open, and nobody who has it open, or has
// it in another mount namespace, opens another one. Success when there is none.
Status remove_task_folder(const std::string& folder);

}  // namespace cib
