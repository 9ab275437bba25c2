// /sys/class/infiniband, infiniband_verbs and infiniband_mad as a task sees them: its own HCAs, in the form
// that sysfs has (links into /sys/devices, and the class' abi_version, which libibverbs and libibumad read).
// Whoever asks the kernel by netlink, as libibverbs does first, still hears of the others.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "adapters/linux/devices.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// One of these folders, attached nowhere yet.
struct HcaClass {
  std::string folder;  // "/sys/class/infiniband"
  UniqueFd mount;
  dev_t number = 0;                  // its st_dev
  std::vector<std::string> devices;  // what its links lead to: "/sys/devices/pci0000:00/.../mlx5_0"
};

// A folder that is mounted somewhere: which one, and the st_dev of what is there.
struct MountedClass {
  std::string folder;
  dev_t number = 0;
};

// Where what is attached is mounted: place_of_devices, and these.
std::vector<std::string> places_of_mounts();

// For the devices of these nodes. `shown`: the RDMA devices that the container showed before, which
// rdma_devices_shown_in() goes on telling of; empty: nobody needs to know.
Result<std::vector<HcaClass>> make_hca_classes(const std::vector<DeviceNode>& nodes,
                                               const std::optional<std::vector<std::string>>& shown);

// Makes the same folders by their last names in an empty directory.
Status put_hca_classes(const UniqueFd& directory, const std::vector<DeviceNode>& nodes);

// Mounts each over its folder in the mount namespace, but where there is no such folder, or where a link
// would lead to nothing, as in a container whose /sys is not the kernel's. Returns what was mounted.
Result<std::vector<MountedClass>> mount_hca_classes(int mount_namespace,
                                                    const std::vector<HcaClass>& classes);
// What is mounted there that mount_hca_classes() has made, for whichever step.
Result<std::vector<MountedClass>> hca_classes_in(int mount_namespace);
// Takes these away where they are on top; success where they are not.
Status unmount_hca_classes(int mount_namespace, const std::vector<MountedClass>& mounted);

// Of an open folder that is one of ours: what was shown there before, a name a line, as a file of this name
// has it.
inline constexpr const char* shown_before = ".container-ib";

}  // namespace cib
