#include "adapters/linux/names_in.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "adapters/linux/unique_fd.hpp"

namespace cib {

Result<std::vector<std::string>> names_in(int at, const std::string& path, Entries which, std::size_t limit) {
  UniqueFd fd(::openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(fd ? ::fdopendir(fd.get()) : nullptr, ::closedir);
  if (!directory) return error(Errc::kernel, "open " + path, errno);
  (void)fd.release();  // it is the stream's now
  std::vector<std::string> names;
  while (names.size() < limit) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    if (entry->d_name[0] == '.' || (which == Entries::directories && entry->d_type != DT_DIR)) continue;
    names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<std::string>> names_in(const std::string& path) { return names_in(AT_FDCWD, path); }

}  // namespace cib
