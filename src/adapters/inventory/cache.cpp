#include "cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "container_ib/hash.hpp"
#include "container_ib/inventory.hpp"
#include "container_ib/text.hpp"
#include "linux/unique_fd.hpp"
#include "sysfs/small_files.hpp"

namespace cib {

namespace {

constexpr const char* file_name = "inventory";
constexpr off_t max_size = 16 << 20;

void add_line(Hash& hash, const Directory& root, const std::string& path) {
  hash.add(root.line(path).value_or(""));
}

bool is_ours_alone(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & 022) == 0;
}

// Says which machine the rest describes and what the rest is: a file that was cut at the end of a line reads
// as an inventory too.
std::string heading(const std::string& fingerprint, std::string_view body) {
  Hash hash;
  hash.add(body);
  return "fingerprint " + fingerprint + " " + hex(hash.number(), 16) + "\n";
}

// None where the directory is missing, a link, or one in which others could have put a file.
UniqueFd open_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !is_ours_alone(status)) fd.reset();
  return fd;
}

}  // namespace

std::string machine_fingerprint() {
  Hash hash;
  const auto root = Directory::open("/");
  if (!root) return {};
  add_line(hash, *root, "proc/sys/kernel/random/boot_id");
  add_line(hash, *root, "sys/devices/system/cpu/online");
  add_line(hash, *root, "sys/devices/system/node/online");
  if (const auto pci = root->sub("sys/bus/pci/devices"))
    for (const auto& name : pci->names()) hash.add(name);
  // The link says which PCI function a device belongs to now; the name alone may have moved to another.
  if (const auto rdma = root->sub("sys/class/infiniband"))
    for (const auto& name : rdma->names()) hash.add(name + " " + rdma->link(name).value_or(""));
  return hex(hash.number(), 16);
}

std::optional<Inventory> read_cache(const std::string& path, const std::string& fingerprint) {
  const UniqueFd directory = open_directory(path);
  if (!directory) return std::nullopt;
  const UniqueFd file(::openat(directory.get(), file_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return std::nullopt;
  if (!S_ISREG(status.st_mode) || !is_ours_alone(status) || status.st_size > max_size) return std::nullopt;
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  if (::read(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return std::nullopt;
  const std::string_view body = std::string_view(text).substr(std::min(text.size(), text.find('\n') + 1));
  if (fingerprint.empty() || !text.starts_with(heading(fingerprint, body))) return std::nullopt;
  auto inventory = decode_inventory(body);
  return inventory ? std::optional(std::move(inventory).value()) : std::nullopt;
}

void write_cache(const std::string& path, const std::string& fingerprint, const Inventory& inventory) {
  (void)::mkdir(path.c_str(), 0700);  // the first step since the boot
  const UniqueFd directory = open_directory(path);
  if (!directory) return;
  // Several agents may write at once, each its own file. One of that name is of a dead agent with our pid.
  const std::string fresh = std::string(file_name) + "." + std::to_string(::getpid());
  const std::string body = encode_inventory(inventory);
  const std::string text = heading(fingerprint, body) + body;
  bool complete = false;
  (void)::unlinkat(directory.get(), fresh.c_str(), 0);
  {
    const UniqueFd file(
        ::openat(directory.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return;
    complete = ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }
  // No fsync: a torn file is not an inventory, and the directory does not outlive a boot.
  if (!complete || ::renameat(directory.get(), fresh.c_str(), directory.get(), file_name) != 0)
    (void)::unlinkat(directory.get(), fresh.c_str(), 0);
}

}  // namespace cib
