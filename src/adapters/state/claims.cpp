#include "adapters/state/claims.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/file_lock.hpp"
#include "adapters/linux/names_in.hpp"

namespace cib {

namespace {

constexpr int lock_timeout_ms = 10'000;  // held for a few system calls each
constexpr std::size_t max_owner = 256;
constexpr const char* claims_lock = "claims.lock";
constexpr const char* node_lock = "node.lock";
constexpr const char* claiming_lock = "claiming.lock";

Result<UniqueFd> lock_file(const std::string& state_dir, const char* name, int timeout_ms) {
  const std::string path = state_dir + '/' + name;
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return error(Errc::kernel, "open " + path, errno);
  CIB_CHECK(lock_in_turn(file, path, timeout_ms));
  return file;
}

// Empty: no such claim, or one whose writer died before it had written.
Result<std::string> read_claim(const UniqueFd& directory, const std::string& name) {
  const UniqueFd file(::openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::string();
  if (!file) return error(Errc::kernel, "open claim " + name, errno);
  return read_up_to(file.get(), "claim " + name, max_owner);
}

}  // namespace

// Without `make` the descriptor is invalid where nobody has ever claimed anything.
Result<UniqueFd> Claims::open_directory(bool make) {
  const std::string path = state_dir_ + "/claims";
  if (make && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return error(Errc::kernel, "mkdir " + path, errno);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory && (make || errno != ENOENT)) return error(Errc::kernel, "open " + path, errno);
  return directory;
}

Status Claims::take(const std::string& name, const std::string& owner) {
  CIB_TRY(const UniqueFd directory, open_directory(true));
  CIB_TRY(const UniqueFd lock, lock_file(state_dir_, claims_lock, lock_timeout_ms));
  CIB_TRY(const std::string present, read_claim(directory, name));
  if (!present.empty()) return error(Errc::in_use, name + " is in use by step " + present);
  const UniqueFd file(
      ::openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file || ::write(file.get(), owner.data(), owner.size()) != static_cast<ssize_t>(owner.size()) ||
      ::fdatasync(file.get()) != 0)
    return error(Errc::kernel, "write claim " + name, errno);
  return {};
}

Status Claims::release(const std::string& name, const std::string& owner) {
  CIB_TRY(const UniqueFd directory, open_directory(true));
  CIB_TRY(const UniqueFd lock, lock_file(state_dir_, claims_lock, lock_timeout_ms));
  CIB_TRY(const std::string present, read_claim(directory, name));
  if (!present.empty() && present != owner) return {};
  if (::unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return error(Errc::kernel, "remove claim " + name, errno);
  return {};
}

Result<std::map<std::string, std::string>> Claims::all() {
  std::map<std::string, std::string> owners;
  CIB_TRY(const UniqueFd directory, open_directory(false));
  if (!directory) return owners;
  const auto names = names_in(directory.get(), ".");
  if (!names) return error(Errc::kernel, "list claims", names.error().sys_errno);
  for (const std::string& name : *names) {
    CIB_TRY(const std::string owner, read_claim(directory, name));
    if (!owner.empty()) owners[name] = owner;
  }
  return owners;
}

Result<std::string> Claims::owner_of(const std::string& name) {
  CIB_TRY(const UniqueFd directory, open_directory(false));
  return directory ? read_claim(directory, name) : std::string();
}

Result<NodeLock> NodeLock::take(const std::string& state_dir, Of what, int timeout_ms) {
  CIB_TRY(UniqueFd file, lock_file(state_dir, what == Of::devices ? node_lock : claiming_lock, timeout_ms));
  return NodeLock(std::move(file));
}

}  // namespace cib
