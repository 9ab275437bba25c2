#include "adapters/linux/namespaces.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

namespace cib {

namespace {

// "mnt:[4026531841]". The name of every file that lies in a directory begins with a slash (d_path), so none
// reads like this.
bool parse(std::string_view name, const std::string& kind, std::uint64_t& inode) {
  const std::string before = kind + ":[";
  if (!name.starts_with(before) || !name.ends_with(']')) return false;
  const char* end = name.data() + name.size() - 1;
  const auto number = std::from_chars(name.data() + before.size(), end, inode);
  return number.ec == std::errc() && number.ptr == end;
}

Result<std::uint64_t> read_name(const std::string& path, const std::string& kind) {
  std::array<char, 64> target{};  // what is longer is cut, and is no namespace's
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) return error(errno == ENOENT ? Errc::ended : Errc::kernel, "readlink " + path, errno);
  const std::string_view name(target.data(), static_cast<std::size_t>(size));
  std::uint64_t inode = 0;
  if (parse(name, kind, inode)) return inode;
  return error(Errc::denied, std::string(name) + " is no " + kind + " namespace");
}

}  // namespace

Result<std::uint64_t> namespace_of_descriptor(int fd, const std::string& kind) {
  return read_name("/proc/self/fd/" + std::to_string(fd), kind);
}

Result<std::uint64_t> namespace_of_process(pid_t pid, const std::string& kind) {
  return read_name("/proc/" + std::to_string(pid) + "/ns/" + kind, kind);
}

}  // namespace cib
