#include "small_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/names_in.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::size_t max_file = 4096;  // a sysfs attribute is at most a page
constexpr std::size_t max_names = 4096;
constexpr std::string_view blanks = " \t\r";

}  // namespace

std::optional<Directory> Directory::open(const std::string& path) { return open_at(AT_FDCWD, path); }

std::optional<Directory> Directory::sub(const std::string& path) const { return open_at(fd_.get(), path); }

std::optional<Directory> Directory::open_at(int at, const std::string& path) {
  UniqueFd fd(::openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd ? std::optional(Directory(std::move(fd))) : std::nullopt;
}

std::optional<std::string> Directory::text(const std::string& path) const {
  const UniqueFd file = open_regular_file(fd_.get(), path);
  if (!file) return std::nullopt;
  // Once, not to the end: an attribute comes in one piece, and there are thousands.
  std::array<char, max_file> buffer{};
  const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
  if (size < 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

std::optional<std::string> Directory::line(const std::string& path) const {
  auto first = text(path);
  if (!first) return first;
  first->resize(std::min(first->size(), first->find('\n')));
  first->erase(first->find_last_not_of(blanks) + 1);
  return first;
}

std::optional<std::string> Directory::value(const std::string& path, std::string_view key) const {
  const auto all = text(path);
  if (!all) return std::nullopt;
  for (std::string_view line : split(*all, '\n')) {
    if (!line.starts_with(key) || line.substr(key.size(), 1) != ":") continue;
    line.remove_prefix(key.size() + 1);
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(blanks)));
    return std::string(line.substr(0, line.find_last_not_of(blanks) + 1));
  }
  return std::nullopt;
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
