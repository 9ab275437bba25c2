// The character devices of RDMA devices, found by identity and put into a task's mount namespace.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/linux/container.hpp"
#include "adapters/linux/mountinfo.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "container_ib/model.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Where they are, on the node as in every container.
inline constexpr const char* place_of_devices = "/dev/infiniband";

struct DeviceNode {
  std::string name;   // "uverbs0"
  std::string owner;  // RDMA device it belongs to; empty for rdma_cm, which belongs to all
  dev_t rdev = 0;
  mode_t mode = 0;  // permission bits, as the host's /dev has them
  uid_t uid = 0;
  gid_t gid = 0;
};

// uverbs of each port's device, with `umad` the umad of each port, which its user may open (the site has
// allowed it), and rdma_cm when the host has it. The name of a node says nothing about its device (minors
// permute when devices are re-registered), so they are found by sysfs' ibdev, and the host's node must carry
// the number that sysfs says.
Result<std::vector<DeviceNode>> find_device_nodes(const std::vector<Port>& ports, bool umad);

// By the number of its uverbs node, each RDMA device that sysfs shows here.
std::map<dev_t, std::string> rdma_devices_by_number();

// Whether these are the ports' nodes now. A device that was registered anew may have lost its minor to
// another one meanwhile (ida, uverbs_main.c).
bool are_still(const std::vector<DeviceNode>& nodes, const std::vector<Port>& ports, bool umad);

// Makes the nodes in a directory of a file system that has none of these names.
Status add_device_nodes(const UniqueFd& directory, const std::vector<DeviceNode>& nodes);

// A mount that is attached nowhere yet: a tmpfs with these nodes, read-only; with `lends` it has the folder
// that lent_folder is.
Result<UniqueFd> make_device_mount(const std::vector<DeviceNode>& nodes, bool lends = false);

// Both, and what is made anew meanwhile: the mount is there with these ports' devices, or nothing is. Errors:
// changed when RDMA devices were registered anew at that moment, which is worth another try; else as those
// two have them.
struct MountedDevices {
  dev_t mount = 0;  // st_dev
  std::vector<DeviceNode> nodes;
};
Result<MountedDevices> mount_devices_of(const std::vector<Port>& ports, bool umad, int mount_namespace,
                                        std::optional<FileOwner> maker, bool lends = false);
// For a container's user: what it takes where its folders allow nothing.
Error no_place_for_devices(Error error);

// At each of these places of that process, what is on top there if it is a small tmpfs of ours.
Result<std::vector<Mount>> own_mounts_at(pid_t pid, const std::vector<std::string>& places);
// Whether it is such a mount that this process has at /dev/infiniband, so a task's.
Result<bool> has_device_mount();

// Who owns /dev of that mount namespace, and can make a folder there; empty: nobody can tell.
std::optional<FileOwner> owner_of_dev(int mount_namespace);
// Puts the mount over /dev/infiniband in the mount namespace. Where there is no such folder `maker` makes it:
// what belongs to nobody in a user namespace, as the host's root does in a container's, can make nothing
// there (EOVERFLOW, may_o_create in fs/namei.c). Empty: nobody makes it.
Status mount_over_infiniband(int mount_namespace, const UniqueFd& mount,
                             std::optional<FileOwner> maker = std::nullopt);
// Puts a mount (make_lent_mount) at lent_folder there.
Status mount_over_lent_folder(int mount_namespace, const UniqueFd& mount);
// The st_dev of what is at /dev/infiniband in the mount namespace, if each of these nodes is there and is
// that device; else changed.
Result<dev_t> device_mount_in(int mount_namespace, const std::vector<DeviceNode>& nodes);
// Whether /dev/infiniband of the mount namespace, "/proc/17/ns/mnt", has the node, and it is that device.
Status verify_device_node(const std::string& mount_namespace, const DeviceNode& node);
// Takes it away if what is there is that mount (by its st_dev); success when it is not.
Status unmount_infiniband(int mount_namespace, dev_t mounted);

}  // namespace cib
