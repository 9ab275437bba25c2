#include "small_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace cib {

namespace {

constexpr std::size_t max_file = 4096;  // a sysfs attribute is at most a page
constexpr std::size_t max_names = 4096;

}  // namespace

std::optional<Directory> Directory::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? std::nullopt : std::optional(Directory(fd));
}

std::optional<Directory> Directory::sub(const std::string& path) const {
  const int fd = ::openat(fd_, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? std::nullopt : std::optional(Directory(fd));
}

Directory::~Directory() {
  if (fd_ >= 0) ::close(fd_);
}

Directory::Directory(Directory&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Directory& Directory::operator=(Directory&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

std::optional<std::string> Directory::line(const std::string& path) const {
  const int fd = ::openat(fd_, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct stat status {};
  std::array<char, max_file> buffer{};
  ssize_t size = -1;
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) size = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  if (size < 0) return std::nullopt;
  std::string text(buffer.data(), static_cast<std::size_t>(size));
  text.resize(std::min(text.size(), text.find('\n')));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.pop_back();
  return text;
}

std::optional<std::string> Directory::link(const std::string& path) const {
  std::array<char, max_file> buffer{};
  const ssize_t size = ::readlinkat(fd_, path.c_str(), buffer.data(), buffer.size());
  if (size <= 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

std::optional<std::string> Directory::link_name(const std::string& path) const {
  auto target = link(path);
  if (target) target->erase(0, target->rfind('/') + 1);
  return target;
}

std::vector<std::string> Directory::names() const {
  std::vector<std::string> names;
  const int fd = ::openat(fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return names;
  DIR* stream = ::fdopendir(fd);
  if (stream == nullptr) {
    ::close(fd);
    return names;
  }
  while (names.size() < max_names) {
    const dirent* entry = ::readdir(stream);
    if (entry == nullptr) break;
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace cib
