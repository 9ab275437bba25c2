#include "adapters/linux/shown_devices.hpp"

#include <utility>

namespace cib {

namespace {

std::vector<std::string> names_of(const std::vector<DeviceNode>& nodes) {
  std::vector<std::string> names;
  for (const DeviceNode& node : nodes) names.push_back(node.name);
  return names;
}

// In /sys/class too, where MPI and tools look for HCAs.
Status show_classes(int mount_namespace, const std::vector<DeviceNode>& nodes, const WhatToShow& what,
                    ShownDevices& shown) {
  CIB_TRY(const auto classes, make_hca_classes(nodes, what.shown_before));
  CIB_TRY(shown.classes, mount_hca_classes(mount_namespace, classes));
  return {};
}

Status show_lent(int mount_namespace, const NodeLibraries* lent) {
  if (lent == nullptr) return {};
  CIB_TRY(const UniqueFd mount, make_lent_mount(*lent));
  return mount_over_lent_folder(mount_namespace, mount);
}

}  // namespace

Status show_devices(int mount_namespace, const WhatToShow& what, ShownDevices& shown) {
  CIB_TRY(const auto mounted,
          mount_devices_of(what.ports, what.umad, mount_namespace, what.maker, what.lent != nullptr));
  shown.devices = mounted.mount;
  shown.nodes = names_of(mounted.nodes);
  auto status = show_classes(mount_namespace, mounted.nodes, what, shown);
  if (status.ok()) status = show_lent(mount_namespace, what.lent);
  if (!status) (void)hide_devices(mount_namespace, shown);
  return status;
}

Status adopt_devices(int mount_namespace, const std::vector<Port>& ports, bool umad, ShownDevices& shown) {
  CIB_TRY(const auto nodes, find_device_nodes(ports, umad));
  CIB_TRY(shown.devices, device_mount_in(mount_namespace, nodes));
  CIB_TRY(shown.classes, hca_classes_in(mount_namespace));
  shown.nodes = names_of(nodes);
  return {};
}

Status hide_devices(int mount_namespace, ShownDevices& shown) {
  Status devices;
  if (shown.devices != 0) devices = unmount_infiniband(mount_namespace, shown.devices);
  if (devices.ok()) shown.devices = 0;
  // Who waits for a file system of the container's would do so twice.
  if (!devices && devices.error().code == Errc::stuck) return devices;
  auto classes = unmount_hca_classes(mount_namespace, shown.classes);
  if (classes.ok()) shown.classes.clear();
  return devices.ok() ? classes : devices;
}

}  // namespace cib
