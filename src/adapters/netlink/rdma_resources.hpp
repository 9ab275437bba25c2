// Who holds objects of an RDMA device, by the kernel's lists of them (restrack): what `rdma resource show`
// prints.
#pragma once

#include <sys/types.h>

#include <compare>
#include <optional>
#include <set>

#include "adapters/netlink/rdma_devices.hpp"
#include "container_ib/result.hpp"

namespace cib {

// One for all objects that are alike. What the kernel has made for itself is not among them.
struct RdmaHolder {
  // The thread that made it, in the caller's PID namespace; empty when that has ended or is outside.
  std::optional<pid_t> thread;
  unsigned port = 0;  // of queue pairs; 0: it has none yet
  auto operator<=>(const RdmaHolder&) const = default;
};

// Of a device in the caller's network namespace. Cheap: an object a process and device, and the kernel asks
// no hardware.
Result<std::set<RdmaHolder>> holders_of_protection_domains(const RdmaDevice& device);

// Not those that mlx5 makes by DEVX. The kernel asks the driver about each, which may ask the hardware.
Result<std::set<RdmaHolder>> holders_of_queue_pairs(const RdmaDevice& device);

}  // namespace cib
