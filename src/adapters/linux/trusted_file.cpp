#include "adapters/linux/trusted_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/unique_fd.hpp"

namespace cib {

namespace {

constexpr std::size_t limit = 1024 * 1024;

bool only_ours(const struct stat& status) {
  // In a sticky directory (/tmp) others can make files but not replace ours.
  const bool open_to_others =
      (status.st_mode & 022) != 0 && !(S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0);
  return (status.st_uid == 0 || status.st_uid == ::geteuid()) && !open_to_others;
}

}  // namespace

Status check_directories_to(const std::string& path) {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string directory = slash == 0 ? "/" : path.substr(0, slash);
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0)
      return error(errno == ENOENT ? Errc::not_found : Errc::kernel, "stat " + directory, errno);
    if (!only_ours(status))
      return error(Errc::bad_config, directory + " can be written by others than root; chmod go-w it");
  }
  return {};
}

namespace {

Result<UniqueFd> open_trusted_file(const std::string& path) {
  if (!path.starts_with('/')) return error(Errc::bad_config, "'" + path + "' is not an absolute path");
  CIB_CHECK(check_directories_to(path));
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return error(errno == ENOENT ? Errc::not_found : Errc::kernel, "open " + path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return error(Errc::kernel, "stat " + path, errno);
  if (!S_ISREG(status.st_mode)) return error(Errc::bad_config, path + " is not a regular file");
  if (!only_ours(status))
    return error(Errc::bad_config, path + " can be written by others than root; chmod go-w it");
  return file;
}

}  // namespace

Status check_trusted_file(const std::string& path) {
  CIB_TRY([[maybe_unused]] const UniqueFd file, open_trusted_file(path));
  return {};
}

Result<std::string> read_trusted_file(const std::string& path) {
  CIB_TRY(const UniqueFd file, open_trusted_file(path));
  return read_whole(file.get(), path, limit, error(Errc::bad_config, path + " is larger than 1 MiB"));
}

}  // namespace cib
