// Network namespaces that tasks get: made, or found with a process of a container; kept alive by a file,
// entered for a moment. All are owned by the host's user namespace, so that nobody in a container is their
// administrator: whoever is could change the settings of a PF's VFs through an IPoIB child (do_setvfinfo in
// rtnetlink.c asks for no more).
#pragma once

#include <sys/types.h>

#include <string>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// The caller's.
Result<UniqueFd> open_own_network_namespace();

// A new one, empty but for lo, which is up.
Result<UniqueFd> make_network_namespace();

// The one that the process behind the pidfd is in, whose number is `pid`. Denied when that is the node's own,
// or when it belongs to another user namespace than the host's: whoever is root there is its administrator.
// Ended when the process has.
Result<UniqueFd> open_network_namespace_of(int pidfd, pid_t pid);

// Makes a directory a mount of its own, if it is none, which passes nothing on to other mount namespaces:
// they would keep what is mounted there. What one has copied when it was made goes when its file is removed
// (detach_mounts() in vfs_unlink(), since Linux 3.18).
Status make_private_mount(const std::string& directory);

// Binds the namespace to a new file, which keeps it alive whoever dies. A file that is there already is an
// error.
Status pin_network_namespace(const UniqueFd& ns, const std::string& file);
// The namespace that the file keeps; not_found when there is no such file or it keeps none.
Result<UniqueFd> open_pinned_network_namespace(const std::string& file);
// Lets go and removes the file. Success when there is none.
Status unpin_network_namespace(const std::string& file);

// For the time of a scope the calling thread, the only one of its process, is in another network namespace.
// If there were no way back, nothing that it does later would be where it should be: then it ends the
// process, and what it did is given back by whoever reaps.
class NetworkVisit {
 public:
  static Result<NetworkVisit> to(int ns);
  static Result<NetworkVisit> to_pinned(
      const std::string& file);  // errors: as open_pinned_network_namespace()
  NetworkVisit(NetworkVisit&& other) noexcept = default;
  NetworkVisit& operator=(NetworkVisit&&) = delete;
  ~NetworkVisit();

 private:
  explicit NetworkVisit(UniqueFd home) : home_(std::move(home)) {}
  UniqueFd home_;
};

// A sysfs that shows that namespace's devices, mounted nowhere: sysfs belongs to the network namespace of who
// mounts it. Its directory is opened with openat() on the descriptor.
Result<UniqueFd> sysfs_of_network_namespace(int ns);

}  // namespace cib
