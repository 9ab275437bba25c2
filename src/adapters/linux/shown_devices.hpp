// What a mount namespace shows of HCAs by our doing: device nodes over /dev/infiniband, and the folders of
// /sys/class that go with them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/linux/deadline.hpp"
#include "adapters/linux/devices.hpp"
#include "adapters/linux/hca_classes.hpp"
#include "adapters/linux/node_libraries.hpp"
#include "container_ib/result.hpp"

namespace cib {

struct ShownDevices {
  dev_t devices = 0;                  // st_dev of what is over /dev/infiniband; 0: nothing
  std::vector<MountedClass> classes;  // and over folders of /sys/class
  std::vector<std::string> nodes;     // names in /dev/infiniband

  bool empty() const { return devices == 0 && classes.empty(); }
};

struct WhatToShow {
  const std::vector<Port>& ports;
  bool umad = false;
  std::optional<FileOwner> maker = {};                        // of /dev/infiniband where there is none
  std::optional<std::vector<std::string>> shown_before = {};  // as make_hca_classes() takes it
  const NodeLibraries* lent = nullptr;                        // mounted beside the devices; null: nothing is
};

// Mounts it all. After an error `shown` has what could not be taken away again. Errors as mount_devices_of()
// has them.
Status show_devices(int mount_namespace, const WhatToShow& what, ShownDevices& shown);
// What another step has mounted there, if each node is among it; else changed.
Status adopt_devices(int mount_namespace, const std::vector<Port>& ports, bool umad, ShownDevices& shown);
// Takes it away where it is on top; `shown` keeps what could not be. Success when it is not there.
Status hide_devices(int mount_namespace, ShownDevices& shown);

// Calls work() until it answers anything else than changed, for about a second: somebody else may be
// registering RDMA devices anew just now, which changes minors, or be about to mount what is to be adopted.
template <class Work, class Alive>
Status until_settled(Work work, Alive alive) {
  constexpr int attempts = 50, pause_ms = 20;
  for (int attempt = 1;; ++attempt) {
    auto status = work();
    if (status.ok() || status.error().code != Errc::changed || attempt == attempts || !alive()) return status;
    pause_for(pause_ms);
  }
}

}  // namespace cib
