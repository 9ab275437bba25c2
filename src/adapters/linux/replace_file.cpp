#include "adapters/linux/replace_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string_view>

namespace cib {

namespace {

Status write_all(int fd, std::string_view contents, const std::string& path) {
  while (!contents.empty()) {
    const ssize_t size = ::write(fd, contents.data(), contents.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return error(Errc::kernel, "write " + path, size < 0 ? errno : ENOSPC);
    contents.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

Status fill(const UniqueFd& file, const struct stat& like, const std::string& contents,
            const std::string& path) {
  CIB_CHECK(write_all(file.get(), contents, path));
  if (::fchmod(file.get(), like.st_mode & 07777) != 0) return error(Errc::kernel, "chmod " + path, errno);
  return {};
}

}  // namespace

Status replace_file(const UniqueFd& directory, const std::string& name, const std::string& contents,
                    const std::string& path) {
  struct stat like {};
  if (::fstatat(directory.get(), name.c_str(), &like, AT_SYMLINK_NOFOLLOW) != 0)
    return error(Errc::kernel, "stat " + path, errno);
  if (!S_ISREG(like.st_mode)) return error(Errc::bad_request, path + " is not a regular file");
  const std::string fresh = "." + name + ".container-ib-" + std::to_string(::getpid());
  const UniqueFd file(
      ::openat(directory.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return error(Errc::kernel, "make a file beside " + path, errno);
  Status status = fill(file, like, contents, path);
  if (status && ::renameat(directory.get(), fresh.c_str(), directory.get(), name.c_str()) != 0)
    status = error(Errc::kernel, "replace " + path, errno);
  if (!status) (void)::unlinkat(directory.get(), fresh.c_str(), 0);
  return status;
}

}  // namespace cib
