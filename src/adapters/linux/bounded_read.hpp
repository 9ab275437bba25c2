// What files and pipes say, never more of it than the caller expects: who wrote it may be anybody.
#pragma once

#include <cstddef>
#include <string>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"

namespace cib {

// A regular file by its path, from `directory` (AT_FDCWD: the process' own); links are followed. Whatever is
// there instead, a FIFO or a device, it does not wait for anybody, and the answer is empty.
UniqueFd open_regular_file(int directory, const std::string& path);

// The first `limit` bytes from where the open file stands; fewer only at its end. `name` is for the message
// of an error of read(2).
Result<std::string> read_up_to(int fd, const std::string& name, std::size_t limit);

// The same of all there is; `too_large` when that is more than `limit` bytes.
Result<std::string> read_whole(int fd, const std::string& name, std::size_t limit, Error too_large);

// Whole contents of a file by its path, as /proc and /sys have them. Links are followed. An error of code
// kernel: with errno of what failed, without one when there are more than `limit` bytes.
inline constexpr std::size_t small_file = 64UL * 1024;
Result<std::string> read_small_file(const std::string& path, std::size_t limit = small_file);
Result<std::string> read_small_file_at(int directory, const std::string& path,
                                       std::size_t limit = small_file);

// Its first line, without the newline.
Result<std::string> read_first_line(const std::string& path);

// What the other end of a pipe says, until it closes it, at most `limit` bytes, at most for that long.
struct Said {
  std::string text;
  bool whole = false;  // the other end has closed it
};
Said read_pipe(int fd, std::size_t limit, int timeout_ms);

}  // namespace cib
