// Runs a few system calls inside another namespace, in a throw-away child: whatever happens there, this
// process never leaves its own namespaces.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>

#include "container_ib/result.hpp"

namespace cib {

// Memory that such a child shares with this process, all zeros, by which it says more than an errno. Whoever
// reads it does so after the child: one that was left behind may still write.
class SharedMemory {
 public:
  static Result<SharedMemory> make(std::size_t size);
  SharedMemory(SharedMemory&& other) noexcept : data_(other.data_), size_(other.size_) {
    other.data_ = nullptr;
  }
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();
  void* data() const { return data_; }

 private:
  SharedMemory(void* data, std::size_t size) : data_(data), size_(size) {}
  void* data_;
  std::size_t size_;
};

// Runs work(arg) in a forked child that has joined the mount namespace. It must make system calls only (no
// memory allocation is needed or safe to wait for) and returns 0 or an errno value. Of this process'
// descriptors it has those in `needed`, at most eight, and no others.
//
// The child is killed after timeout_ms. In a user's mount namespace that may be in vain: a file system there
// can be the user's own (FUSE, also below an overlayfs), and while that does not answer, no signal ends who
// waits for it. Then the child is left behind, which the error, of code stuck, says with its number: it ends
// when the file system answers or goes, makes no further call, and is this process' zombie until this ends.
Status in_mount_namespace(int mount_namespace, int (*work)(void*), void* arg,
                          std::initializer_list<int> needed, const std::string& doing, int timeout_ms);
// The child opens it, "/proc/17/ns/mnt": whoever closes the last descriptor of a user's mount namespace waits
// for the file systems in it too.
Status in_mount_namespace(const std::string& file, int (*work)(void*), void* arg, const std::string& doing,
                          int timeout_ms);

// The same in a network namespace.
Status in_network_namespace(int network_namespace, int (*work)(void*), void* arg,
                            std::initializer_list<int> needed, const std::string& doing, int timeout_ms);

}  // namespace cib
