#include "small_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/linux/names_in.hpp"

namespace cib {

namespace {

constexpr std::size_t max_file = 4096;  // a sysfs attribute is at most a page
constexpr std::size_t max_names = 4096;

}  // namespace

std::optional<Directory> Directory::open(const std::string& path) { return open_at(AT_FDCWD, path); }

std::optional<Directory> Directory::sub(const std::string& path) const { return open_at(fd_.get(), path); }

std::optional<Directory> Directory::open_at(int at, const std::string& path) {
  UniqueFd fd(::openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd ? std::optional(Directory(std::move(fd))) : std::nullopt;
}

std::optional<std::string> Directory::line(const std::string& path) const {
  const UniqueFd file(::openat(fd_.get(), path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  // Once, not to the end: an attribute comes in one piece, and there are thousands.
  std::array<char, max_file> buffer{};
  const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
  if (size < 0) return std::nullopt;
  std::string text(buffer.data(), static_cast<std::size_t>(size));
  text.resize(std::min(text.size(), text.find('\n')));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.pop_back();
  return text;
}

std::optional<std::string> Directory::link(const std::string& path) const {
  std::array<char, max_file> buffer{};
  const ssize_t size = ::readlinkat(fd_.get(), path.c_str(), buffer.data(), buffer.size());
  if (size <= 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

std::optional<std::string> Directory::link_name(const std::string& path) const {
  auto target = link(path);
  if (target) target->erase(0, target->rfind('/') + 1);
  return target;
}

std::vector<std::string> Directory::names() const {
  return names_in(fd_.get(), ".", Entries::all, max_names).value_or({});
}

}  // namespace cib
