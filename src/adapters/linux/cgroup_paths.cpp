#include "adapters/linux/cgroup_paths.hpp"

#include <sstream>
#include <string_view>

namespace cib {

namespace {

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

// ID PARENT DEV ROOT POINT OPTIONS... - TYPE SOURCE SUPER
struct Mount {
  std::string root, point, type, super;
};

std::optional<Mount> parse_mount(const std::string& line) {
  const auto dash = line.find(" - ");
  if (dash == std::string::npos) return {};
  std::istringstream left(line.substr(0, dash)), right(line.substr(dash + 3));
  std::string id, parent, dev, source;
  Mount mount;
  left >> id >> parent >> dev >> mount.root >> mount.point;
  right >> mount.type >> source >> mount.super;
  mount.root = unescape(mount.root);
  mount.point = unescape(mount.point);
  return mount;
}

bool shows(const Mount& mount, const CgroupMembership& member) {
  if (member.unified) return mount.type == "cgroup2";
  return mount.type == "cgroup" &&
         ("," + mount.super + ",").find("," + member.controllers + ",") != std::string::npos;
}

// The path below the mount's root; nothing when it is not there.
std::optional<std::string> below(const std::string& root, const std::string& path) {
  if (root == "/") return path;
  if (path == root) return "";
  if (path.starts_with(root + '/')) return path.substr(root.size());
  return {};
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::string_view name_of(const std::string& path) {
  return std::string_view(path).substr(path.rfind('/') + 1);
}

}  // namespace

std::vector<CgroupMembership> parse_cgroups(const std::string& text) {
  std::vector<CgroupMembership> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    found.push_back(
        {line.substr(0, first) == "0" && controllers.empty(), controllers, line.substr(second + 1)});
  }
  return found;
}

std::optional<StepCgroupPath> step_part(const std::string& path) {
  const auto step = path.rfind("/step_");
  if (step == std::string::npos || step == 0) return {};
  StepCgroupPath part;
  part.step = path.substr(0, path.find('/', step + 1));
  part.jobs = parent_of(path.substr(0, step));
  if (name_of(part.jobs).starts_with("uid_")) part.jobs = parent_of(part.jobs);
  return part;
}

std::vector<std::string> places_of(const CgroupMembership& member, const std::string& path,
                                   const std::string& mountinfo) {
  std::vector<std::string> places;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const auto mount = parse_mount(line);
    if (!mount || !shows(*mount, member)) continue;
    if (const auto rest = below(mount->root, path)) places.push_back(mount->point + *rest);
  }
  return places;
}

}  // namespace cib
