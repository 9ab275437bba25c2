#include "adapters/linux/mountinfo.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "adapters/linux/bounded_read.hpp"

namespace cib {

namespace {

constexpr std::size_t most_mounts = 64UL * 1024 * 1024;  // as many mounts as Linux allows

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// mountinfo writes blanks, tabs, newlines and backslashes as \040 (mangle_path in seq_file.c).
std::string unescape(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// ID PARENT DEV ROOT POINT OPTIONS TAG... - TYPE SOURCE SUPER
std::optional<Mount> parse_mount(const std::string& line) {
  const auto dash = line.find(" - ");
  if (dash == std::string::npos) return {};
  std::istringstream left(line.substr(0, dash)), right(line.substr(dash + 3));
  std::string options;
  Mount mount;
  left >> mount.id >> mount.parent >> mount.device >> mount.root >> mount.point >> options;
  for (std::string field; left >> field;)
    if (field.starts_with("shared:")) mount.shared = true;
  right >> mount.kind >> mount.source >> mount.super;
  mount.root = unescape(mount.root);
  mount.point = unescape(mount.point);
  mount.source = unescape(mount.source);
  return mount;
}

}  // namespace

std::vector<Mount> parse_mountinfo(const std::string& text) {
  std::vector<Mount> mounts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (auto mount = parse_mount(line)) mounts.push_back(std::move(*mount));
  return mounts;
}

// As the kernel walks: from the root mount to what is mounted on it at the first folder of the path, and so
// on.
const Mount* mount_at(const std::vector<Mount>& mounts, const std::string& path) {
  std::map<std::uint64_t, std::vector<const Mount*>> children;
  std::set<std::uint64_t> ids;
  for (const Mount& mount : mounts) children[mount.parent].push_back(&mount), ids.insert(mount.id);
  const auto is_root = [&](const Mount& mount) { return mount.point == "/" && !ids.contains(mount.parent); };
  const auto root = std::find_if(mounts.begin(), mounts.end(), is_root);
  if (root == mounts.end()) return nullptr;
  const Mount* here = &*root;
  for (std::size_t steps = 0; steps < mounts.size(); ++steps) {
    const Mount* next = nullptr;
    for (const Mount* child : children[here->id]) {
      const std::string& point = child->point;
      const bool above = point == "/" || path == point || path.starts_with(point + '/');
      if (above && (next == nullptr || point.size() < next->point.size())) next = child;
    }
    if (next == nullptr) break;
    here = next;
  }
  return here;
}

Result<std::vector<Mount>> mounts_of(pid_t pid) {
  CIB_TRY(const std::string text,
          read_small_file("/proc/" + std::to_string(pid) + "/mountinfo", most_mounts));
  return parse_mountinfo(text);
}

Result<std::vector<Mount>> own_mounts() {
  CIB_TRY(const std::string text, read_small_file("/proc/self/mountinfo", most_mounts));
  return parse_mountinfo(text);
}

}  // namespace cib
