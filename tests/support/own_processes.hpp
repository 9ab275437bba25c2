// For tests of code that kills: they run where no process but their own can be seen.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace cib::test {

// Goes on in a child that is the first process of a PID namespace, with a /proc of it in a mount namespace of
// its own; the caller waits for it and ends as it does. Without root it returns at once: then nobody else's
// processes can be killed anyway. Call it before there are threads.
inline bool enter_own_processes() {
  if (::geteuid() != 0) return false;
  const auto must = [](bool done) {
    if (!done) std::abort();
  };
  must(::unshare(CLONE_NEWPID | CLONE_NEWNS) == 0);
  const pid_t child = ::fork();
  must(child >= 0);
  if (child > 0) {
    int status = 0;
    must(::waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) ::_exit(128 + WTERMSIG(status));
    ::_exit(WEXITSTATUS(status));
  }
  must(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  must(::mount("proc", "/proc", "proc", 0, nullptr) == 0);
  return true;
}

}  // namespace cib::test
