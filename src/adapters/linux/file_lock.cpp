#include "adapters/linux/file_lock.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "adapters/linux/deadline.hpp"
#include "adapters/linux/exec.hpp"

namespace cib {

namespace {

Error held_too_long(const std::string& path, int timeout_ms) {
  return error(Errc::timed_out,
               "another process holds " + path + " for " + std::to_string(timeout_ms / 1000) + " s");
}

// The call waits without bound, so it is made by a child: a lock belongs to the open file, which the child
// shares. Whoever waits is woken by the kernel, and takes no time until then. `wait` makes system calls only
// and returns 0 or an errno value (all fit a byte). Its answer comes by a pipe, as there is no exit status
// where SIGCHLD is ignored.
template <class Wait>
Status in_bounded_time(int file, Wait wait, const std::string& path, int timeout_ms) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return error(Errc::kernel, "wait for " + path + ": pipe", errno);
  const UniqueFd answer(ends[0]);
  UniqueFd from_child(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return error(Errc::kernel, "wait for " + path + ": fork", errno);
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    std::array kept = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, file, from_child.get()};
    close_all_but(kept);
    const auto why = static_cast<unsigned char>(wait());
    (void)!::write(from_child.get(), &why, 1);
    ::_exit(0);
  }
  from_child.reset();
  const bool ended = readable_within(answer.get(), timeout_ms);
  unsigned char why = 0;
  const bool told = ended && ::read(answer.get(), &why, 1) == 1;
  if (!ended) (void)::kill(child, SIGKILL);  // it waits still, so the number is its own
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (told && why == 0) return {};
  if (told) return error(Errc::kernel, "lock " + path, why);
  if (!ended) return held_too_long(path, timeout_ms);
  return error(Errc::kernel, "wait for " + path + ": the helper was killed");
}

// A line of who wants a file, in locks of its bytes: each has one byte of its own, its place, and has the
// lock when it has all bytes up to there, which is when all before it have gone. Whoever draws a place holds
// the door.
class Line {
 public:
  explicit Line(int file) : file_(file) {}

  // 0, an errno value, or, without `waiting`, EAGAIN when it is not our turn. Goes on where it was.
  int advance(bool waiting) {
    if (place_ < 0)
      if (const int why = draw(waiting); why != 0) return why;
    return set(F_WRLCK, 0, place_ + 1, waiting);
  }
  void leave() const { (void)set(F_UNLCK, 0, 0, false); }  // to the end of the file: the door too

 private:
  static constexpr off_t door = off_t{1} << 62;  // beyond every place

  int set(short type, off_t start, off_t length, bool waiting) const {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = start;
    lock.l_len = length;
    int rc = -1;
    do rc = ::fcntl(file_, waiting ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno == EACCES ? EAGAIN : errno;
  }
  // The first place behind everybody else's.
  int draw(bool waiting) {
    if (const int why = set(F_WRLCK, door, 1, waiting); why != 0) return why;
    off_t place = 0;
    for (;;) {
      struct flock other {};
      other.l_type = F_WRLCK;
      other.l_whence = SEEK_SET;
      other.l_start = place;
      other.l_len = door - place;
      if (::fcntl(file_, F_OFD_GETLK, &other) != 0) return errno;
      if (other.l_type == F_UNLCK) break;
      place = other.l_start + other.l_len;
    }
    if (const int why = set(F_WRLCK, place, 1, false); why != 0) return why;
    place_ = place;
    return set(F_UNLCK, door, 1, false);
  }

  int file_;
  off_t place_ = -1;  // none yet
};

}  // namespace

Status lock(const UniqueFd& file, const std::string& path, int timeout_ms) {
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK && errno != EINTR) return error(Errc::kernel, "lock " + path, errno);
  if (timeout_ms == 0) return held_too_long(path, timeout_ms);
  const auto wait = [&] { return ::flock(file.get(), LOCK_EX) == 0 ? 0 : errno; };
  auto status = in_bounded_time(file.get(), wait, path, timeout_ms);
  if (!status) (void)::flock(file.get(), LOCK_UN);  // the helper may just have had it
  return status;
}

Status lock_in_turn(const UniqueFd& file, const std::string& path, int timeout_ms) {
  Line line(file.get());
  const int why = line.advance(false);
  if (why == 0) return {};
  if (why != EAGAIN) {
    line.leave();
    return error(Errc::kernel, "lock " + path, why);
  }
  auto status = in_bounded_time(
      file.get(), [&] { return line.advance(true); }, path, timeout_ms);
  if (!status) line.leave();
  return status;
}

}  // namespace cib
