#include "adapters/linux/bounded_read.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "adapters/linux/deadline.hpp"

namespace cib {

namespace {

// As read(2), to the end of the text, which gets no longer than `limit`.
ssize_t read_more(int fd, std::string& text, std::size_t limit) {
  char buffer[16 * 1024];
  ssize_t size = -1;
  do size = ::read(fd, buffer, std::min(sizeof buffer, limit - text.size()));
  while (size < 0 && errno == EINTR);
  if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
  return size;
}

}  // namespace

UniqueFd open_regular_file(int directory, const std::string& path) {
  UniqueFd file(::openat(directory, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat status {};
  return file && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) ? std::move(file) : UniqueFd();
}

Result<std::string> read_up_to(int fd, const std::string& name, std::size_t limit) {
  std::string text;
  while (text.size() < limit) {
    const ssize_t size = read_more(fd, text, limit);
    if (size < 0) return error(Errc::kernel, "read " + name, errno);
    if (size == 0) break;
  }
  return text;
}

Result<std::string> read_whole(int fd, const std::string& name, std::size_t limit, Error too_large) {
  CIB_TRY(std::string text, read_up_to(fd, name, limit + 1));
  if (text.size() > limit) return too_large;
  return text;
}

Result<std::string> read_small_file(const std::string& path, std::size_t limit) {
  return read_small_file_at(AT_FDCWD, path, limit);
}

Result<std::string> read_small_file_at(int directory, const std::string& path, std::size_t limit) {
  const UniqueFd file(::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return error(Errc::kernel, "open " + path, errno);
  return read_whole(
      file.get(), path, limit,
      error(Errc::kernel, "read " + path + ": larger than " + std::to_string(limit / 1024) + " KiB"));
}

Result<std::string> read_first_line(const std::string& path) {
  CIB_TRY(const std::string text, read_small_file(path));
  return text.substr(0, text.find('\n'));
}

Said read_pipe(int fd, std::size_t limit, int timeout_ms) {
  const Deadline deadline(timeout_ms);
  Said said;
  while (said.text.size() < limit && readable_within(fd, deadline.left_ms())) {
    const ssize_t size = read_more(fd, said.text, limit);
    said.whole = size == 0;
    if (size <= 0) break;
  }
  return said;
}

}  // namespace cib
