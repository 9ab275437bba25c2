// What a user's container looks like from outside.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

// The names in /sys/class/infiniband of that mount namespace, whatever they are: what libibverbs finds there.
// Errors as in_mount_namespace() has them.
Result<std::vector<std::string>> rdma_devices_shown_in(int mount_namespace);

// Whether the root folder of that mount namespace is that of the process too, and not another one below it
// (chroot). Errors as in_mount_namespace() has them.
Result<bool> has_root_of(int mount_namespace, pid_t pid);

// By task, for each mount namespace that it or what descends from it is in, but for `known` ones (inode
// numbers), the RDMA devices whose uverbs node is in its /dev/infiniband, in ascending order. Who left his
// parents (a daemon) is not found, nor is where podman itself is, which is not where its containers are. Once
// a namespace did not answer nobody is asked any more, `stuck` when a helper was left behind there; and users
// may make as many namespaces as they like, so 64 are looked at.
struct Insides {
  std::map<pid_t, std::vector<std::vector<std::string>>> of;
  bool stuck = false;
};
Insides look_inside(const std::vector<pid_t>& tasks, const std::set<std::uint64_t>& known);

// Who a process is on this node, by its file system ids (what it makes is theirs).
struct FileOwner {
  std::uint32_t uid = 0, gid = 0;
};
std::optional<FileOwner> file_owner_of(pid_t pid);

// What that user id of this node is in the process' user namespace (user_namespaces(7)); empty when it is
// none there, or nobody can tell.
std::optional<std::uint32_t> uid_inside(pid_t pid, std::uint32_t uid);

// Whether the environment that a process was started with names a step of Slurm's, and it is another one. It
// is its user's to write.
bool is_of_another_step(pid_t pid, std::uint32_t job, std::uint32_t step);

}  // namespace cib
