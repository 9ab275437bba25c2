#include "adapters/linux/in_namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "adapters/linux/deadline.hpp"
#include "adapters/linux/exec.hpp"
#include "adapters/linux/process.hpp"

namespace cib {

namespace {

constexpr int dying_ms = 1'000;  // a process that was killed and waits for nobody

// What our own child returned; it has ended, and is waited for.
Status result_of(pid_t child, const std::string& doing) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status)) return error(Errc::kernel, doing + ": the helper was killed");
  if (const int code = WEXITSTATUS(status); code != 0) return error(Errc::kernel, doing, code);
  return {};
}

struct Namespace {
  int fd;            // -1: by its file
  const char* file;  // opened by the child
  int kind;
};

Status in_namespace(const Namespace& ns, int (*work)(void*), void* arg, std::initializer_list<int> needed,
                    const std::string& doing, int timeout_ms) {
  std::array<int, 9> kept{};
  kept.fill(ns.fd);
  if (needed.size() >= kept.size()) return error(Errc::bug, doing + ": too many descriptors");
  std::copy(needed.begin(), needed.end(), kept.begin() + 1);
  const pid_t child = ::fork();
  if (child < 0) return error(Errc::kernel, doing + ": fork", errno);
  if (child == 0) {
    close_all_but(kept);  // it may stay for long
    const int fd = ns.fd >= 0 ? ns.fd : ::open(ns.file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ::setns(fd, ns.kind) != 0) ::_exit(errno);
    ::_exit(work(arg));  // errno values fit an exit status (the largest is 133)
  }
  auto pidfd = open_pidfd(child);
  if (!pidfd) {  // no descriptor is left: without one there is no wait with a limit
    (void)::kill(child, SIGKILL);
    return std::move(pidfd).error().in(doing);
  }
  if (readable_within(pidfd->get(), timeout_ms)) return result_of(child, doing);
  (void)kill_process(pidfd->get());
  if (!readable_within(pidfd->get(), dying_ms))
    return error(Errc::stuck, doing + ": a file system there does not answer; process " +
                                  std::to_string(child) + " of ours waits for it and cannot be killed");
  (void)result_of(child, doing);
  return error(Errc::timed_out, doing + ": not done within " + std::to_string(timeout_ms) + " ms");
}

}  // namespace

Result<SharedMemory> SharedMemory::make(std::size_t size) {
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return error(Errc::kernel, "mmap", errno);
  return SharedMemory(data, size);
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Status in_mount_namespace(int mount_namespace, int (*work)(void*), void* arg,
                          std::initializer_list<int> needed, const std::string& doing, int timeout_ms) {
  return in_namespace({mount_namespace, nullptr, CLONE_NEWNS}, work, arg, needed, doing, timeout_ms);
}

Status in_mount_namespace(const std::string& file, int (*work)(void*), void* arg, const std::string& doing,
                          int timeout_ms) {
  return in_namespace({-1, file.c_str(), CLONE_NEWNS}, work, arg, {}, doing, timeout_ms);
}

Status in_network_namespace(int network_namespace, int (*work)(void*), void* arg,
                            std::initializer_list<int> needed, const std::string& doing, int timeout_ms) {
  return in_namespace({network_namespace, nullptr, CLONE_NEWNET}, work, arg, needed, doing, timeout_ms);
}

}  // namespace cib
