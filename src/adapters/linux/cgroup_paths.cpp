#include "adapters/linux/cgroup_paths.hpp"

#include <sstream>
#include <string_view>

#include "container_ib/text.hpp"

namespace cib {

namespace {

bool shows(const Mount& mount, const CgroupMembership& member) {
  if (member.unified) return mount.kind == "cgroup2";
  return mount.kind == "cgroup" &&
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

std::string_view name_of(const std::string&& path) = delete;  // it would not outlive the answer
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

std::string step_name_of_cgroup(const std::string& step) {
  const std::string jobs_path = parent_of(step);
  std::string_view job = name_of(jobs_path);
  if (job.starts_with("job_")) job.remove_prefix(4);
  std::string_view number = name_of(step);
  if (number.starts_with("step_")) number.remove_prefix(5);
  return printable(std::string(job) + '.' + std::string(number));
}

std::vector<std::string> places_of(const CgroupMembership& member, const std::string& path,
                                   const std::vector<Mount>& mounts) {
  std::vector<std::string> places;
  for (const Mount& mount : mounts) {
    if (!shows(mount, member)) continue;
    if (const auto rest = below(mount.root, path)) places.push_back(mount.point + *rest);
  }
  return places;
}

}  // namespace cib
