#include "adapters/linux/image_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/names_in.hpp"
#include "adapters/linux/open_resolved.hpp"

namespace cib {

namespace {

constexpr std::size_t max_file = std::size_t{32} << 20;
constexpr std::size_t max_names = 16'384;

int open_below(int root, const std::string& path, unsigned long long flags) {
  return open_resolved(root, path.c_str(), flags, RESOLVE_IN_ROOT);
}

}  // namespace

Result<ImageTree> ImageTree::at(int root, int proc) {
  const UniqueFd top(open_below(root, "/", O_PATH | O_DIRECTORY));
  if (!top && errno == ENOSYS) return error(Errc::unsupported, "look into an image: openat2", errno);
  if (!top) return error(Errc::kernel, "look into an image: openat2", errno);
  const UniqueFd own(::openat(proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!own) return error(Errc::kernel, "look into an image: open /proc/self/fd", errno);
  return ImageTree(root, proc);
}

bool ImageTree::has(const std::string& path) { return find_file(path).valid(); }

std::optional<std::string> ImageTree::read(const std::string& path) {
  const UniqueFd found = find_file(path);
  if (!found) return std::nullopt;
  const UniqueFd file(open_found(proc_, found.get()));
  if (!file) return std::nullopt;
  auto text = read_up_to(file.get(), path, std::min(max_file, bytes_left_));
  if (!text) return std::nullopt;
  if (!spend(bytes_left_, text->size()) || text->size() == max_file) whole_ = false;
  return *std::move(text);
}

std::vector<std::string> ImageTree::names(const std::string& folder) {
  const UniqueFd directory = open(folder, O_RDONLY | O_DIRECTORY);
  if (!directory) return {};
  const std::size_t limit = std::min(max_names, names_left_);
  auto names = names_in(directory.get(), ".", Entries::all, limit).value_or({});
  if (!spend(names_left_, names.size()) || names.size() == limit) whole_ = false;
  return names;
}

std::optional<std::string> ImageTree::identity(const std::string& folder) {
  const UniqueFd directory = open(folder, O_PATH | O_DIRECTORY);
  struct stat about {};
  if (!directory || ::fstat(directory.get(), &about) != 0) return std::nullopt;
  return std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino);
}

UniqueFd ImageTree::open(const std::string& path, unsigned long long flags) {
  return spend(opens_left_, 1) ? UniqueFd(open_below(root_, path, flags)) : UniqueFd();
}

UniqueFd ImageTree::find_file(const std::string& path) {
  UniqueFd found = open(path, O_PATH);
  struct stat about {};
  return found && ::fstat(found.get(), &about) == 0 && S_ISREG(about.st_mode) ? std::move(found) : UniqueFd();
}

bool ImageTree::spend(std::size_t& left, std::size_t amount) {
  const bool enough = amount < left;
  left -= std::min(left, amount);
  if (!enough) whole_ = false;
  return enough;
}

}  // namespace cib
