#include "adapters/linux/in_namespace.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "adapters/linux/process.hpp"

namespace cib {

namespace {

Status in_namespace(int ns, int kind, int (*work)(void*), void* arg, const std::string& doing,
                    int timeout_ms) {
  const pid_t child = ::fork();
  if (child < 0) return error(Errc::kernel, doing + ": fork", errno);
  if (child == 0) {
    if (::setns(ns, kind) != 0) ::_exit(errno);
    ::_exit(work(arg));  // errno values fit an exit status (the largest is 133)
  }
  const auto pidfd = open_pidfd(child);
  pollfd p{.fd = pidfd ? pidfd->get() : -1, .events = POLLIN, .revents = 0};
  const bool ended = pidfd && ::poll(&p, 1, timeout_ms) == 1;
  if (!ended) (void)::kill(child, SIGKILL);  // our own child, not yet waited for: the number is still its own
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended)
    return error(Errc::timed_out, doing + ": not done within " + std::to_string(timeout_ms) + " ms");
  if (!WIFEXITED(status)) return error(Errc::kernel, doing + ": the helper was killed");
  if (const int code = WEXITSTATUS(status); code != 0) return error(Errc::kernel, doing, code);
  return {};
}

}  // namespace

Status in_mount_namespace(int mount_namespace, int (*work)(void*), void* arg, const std::string& doing,
                          int timeout_ms) {
  return in_namespace(mount_namespace, CLONE_NEWNS, work, arg, doing, timeout_ms);
}

Status in_network_namespace(int network_namespace, int (*work)(void*), void* arg, const std::string& doing,
                            int timeout_ms) {
  return in_namespace(network_namespace, CLONE_NEWNET, work, arg, doing, timeout_ms);
}

}  // namespace cib
