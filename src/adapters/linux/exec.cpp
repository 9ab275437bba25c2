#include "adapters/linux/exec.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace cib {

namespace {

constexpr int out_of_the_way = 16;

}  // namespace

void close_all_but(std::span<int> kept) {
  std::sort(kept.begin(), kept.end());
  int next = 0;
  for (const int fd : kept) {
    if (fd > next) (void)::close_range(static_cast<unsigned>(next), static_cast<unsigned>(fd) - 1, 0);
    next = std::max(next, fd + 1);
  }
  (void)::close_range(static_cast<unsigned>(next), ~0U, 0);
}

void exec_clean(const char* path, char* const* argv, std::span<const int> inherited, int report) {
  // Out of the way of the fixed numbers first, since any may already be one of them.
  std::array<int, max_inherited> high{};
  for (std::size_t i = 0; i < inherited.size(); ++i) high[i] = ::fcntl(inherited[i], F_DUPFD, out_of_the_way);
  const int high_report = ::fcntl(report, F_DUPFD, out_of_the_way);
  const int null = ::open("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) (void)::dup2(null, fd);
  int next = first_inherited_fd;
  for (std::size_t i = 0; i < inherited.size(); ++i) (void)::dup2(high[i], next++);
  const int report_fd = next++;
  (void)::dup3(high_report, report_fd, O_CLOEXEC);
  (void)::close_range(static_cast<unsigned>(next), ~0U, 0);
  sigset_t none;
  ::sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
  char* const empty_environment[] = {nullptr};
  ::execve(path, argv, empty_environment);
  const int why = errno;
  (void)!::write(report_fd, &why, sizeof why);
  ::_exit(127);
}

}  // namespace cib
