// An OCI bundle whose container is a task's: what its config.json lacks of the task's InfiniBand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "container_ib/model.hpp"

namespace cib {

struct BundleMount {
  std::string destination, type, source;
  std::vector<std::string> options;

  bool operator==(const BundleMount&) const = default;
};

// Of a config.json, what decides.
struct Bundle {
  std::vector<std::string> env;     // process.env: "NAME=value"
  std::uint32_t uid = 0;            // process.user.uid
  bool own_network = false;         // a network namespace is made for it
  std::vector<BundleMount> mounts;  // in their order, in which a later one hides what it lies over
};

struct BundleEdit {
  std::optional<std::size_t> instead_of;  // that mount; empty: behind all of them
  BundleMount mount;
};

// The ports of the task whose container it is (CONTAINER_IB_PORTS), by name and number only. Nothing when the
// task is none of ours, or has none: then the bundle is left as it is. An error when the list is none.
Result<std::vector<Port>> ports_of_task(const Bundle& bundle);

// The mounts by which the container has /dev/infiniband of its task and /dev/shm of its node. A mount of the
// bundle's own on or in /dev/infiniband stays, as does one on /dev/shm that is no tmpfs.
std::vector<BundleEdit> missing_mounts(const Bundle& bundle);

// What else will keep MPI from starting, and what to change, a line each. `uid` is the task's.
std::vector<std::string> obstacles(const Bundle& bundle, std::uint32_t uid);

}  // namespace cib
