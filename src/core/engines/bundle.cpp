#include "container_ib/bundle.hpp"

#include <algorithm>
#include <string_view>

#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr const char* infiniband_folder = "/dev/infiniband";
constexpr const char* shm_folder = "/dev/shm";

std::string_view value_in_bundle(const Bundle& bundle, std::string_view name) {
  for (const std::string_view variable : bundle.env)
    if (variable.starts_with(name) && variable.substr(name.size()).starts_with('='))
      return variable.substr(name.size() + 1);
  return {};
}

// "/dev/shm" of "dev//shm/" too: runtimes take any form.
std::string cleaned_path(std::string_view path) {
  std::vector<std::string_view> parts;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..")
      parts.push_back(part);
    else if (!parts.empty())
      parts.pop_back();
  }
  return "/" + join(parts, "/");
}

bool is_below(std::string_view path, std::string_view directory) {
  return directory == "/" || (path.starts_with(directory) && path.substr(directory.size()).starts_with('/'));
}

bool has_option(const BundleMount& mount, std::string_view option) {
  return std::find(mount.options.begin(), mount.options.end(), option) != mount.options.end();
}

// Whether it shows what the task has there, with all that is mounted below.
bool shows_the_tasks(const BundleMount& mount, const std::string& destination) {
  return has_option(mount, "rbind") && cleaned_path(mount.source) == destination;
}

// What a container finds at a path, once all is mounted.
struct Found {
  enum { nothing, the_tasks, its_own } what = nothing;
  std::size_t mount = 0;  // which one is on it
};

Found found_at(const std::string& path, const std::vector<BundleMount>& mounts) {
  Found found;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const std::string destination = cleaned_path(mounts[i].destination);
    if (destination == path || is_below(destination, path))
      found = {Found::its_own, i};
    else if (is_below(path, destination))
      found = {shows_the_tasks(mounts[i], destination) ? Found::the_tasks : Found::nothing, i};
  }
  return found;
}

// The flags are those of the task's own mount, which a user namespace must not take away.
BundleMount bind_of(const char* path, const char* flag) {
  return {path, "none", path, {"rbind", "nosuid", "noexec", flag}};
}

}  // namespace

Result<std::vector<Port>> ports_of_task(const Bundle& bundle) {
  std::vector<Port> ports;
  const std::string_view list = value_in_bundle(bundle, "CONTAINER_IB_PORTS");
  if (list.empty()) return ports;
  for (const std::string_view name : split(list, ',')) {
    const auto colon = name.rfind(':');
    const auto number =
        colon == std::string_view::npos ? std::nullopt : whole_number<unsigned>(name.substr(colon + 1));
    if (!number || colon == 0)
      return error(Errc::corrupt,
                   "process.env: CONTAINER_IB_PORTS=" + printable(list) + " is no list of ports");
    Port port;
    port.device = name.substr(0, colon);
    port.number = *number;
    ports.push_back(std::move(port));
  }
  return ports;
}

std::vector<BundleEdit> missing_mounts(const Bundle& bundle) {
  std::vector<BundleEdit> edits;
  if (found_at(infiniband_folder, bundle.mounts).what == Found::nothing)
    edits.push_back({{}, bind_of(infiniband_folder, "ro")});
  const Found memory = found_at(shm_folder, bundle.mounts);
  if (memory.what == Found::nothing)
    edits.push_back({{}, bind_of(shm_folder, "nodev")});
  else if (memory.what == Found::its_own && bundle.mounts[memory.mount].type == "tmpfs")
    edits.push_back({memory.mount, bind_of(shm_folder, "nodev")});
  return edits;
}

std::vector<std::string> obstacles(const Bundle& bundle, std::uint32_t uid) {
  std::vector<std::string> lines;
  const auto is_pmix = [](const std::string& variable) { return variable.starts_with("PMIX_"); };
  if (std::none_of(bundle.env.begin(), bundle.env.end(), is_pmix)) return lines;
  if (bundle.uid != uid)
    lines.push_back("PMIx refuses another user: the bundle's process.user.uid is " +
                    std::to_string(bundle.uid) + " and the task's " + std::to_string(uid) +
                    "; map the user to itself (linux.uidMappings)");
  if (bundle.own_network)
    lines.emplace_back(
        "PMIx is not reached from another network: take the namespace \"network\" out of "
        "linux.namespaces");
  return lines;
}

}  // namespace cib
