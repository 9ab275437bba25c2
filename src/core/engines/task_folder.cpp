#include "container_ib/task_folder.hpp"

#include <algorithm>

#include "container_ib/cdi.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr const char* cdi_folder = "cdi";
constexpr const char* cdi_file = "cdi/container-ib.org-hca.json";
constexpr const char* podman_file = "containers.conf";
// What lies in the folder, and where a container wants it. Its /sys may be another task's too; what there is
// no umad for it does without.
struct Shown {
  std::string_view in, at;
};
constexpr Shown shown_folders[] = {{"/infiniband", "/dev/infiniband"},
                                   {"/class/infiniband", "/sys/class/infiniband"},
                                   {"/class/infiniband_verbs", "/sys/class/infiniband_verbs"}};

// As JSON and TOML both have it.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      result += "\\u00" + hex(static_cast<unsigned char>(c), 2);
    else
      result += c;
  }
  return result + '"';
}

std::string quoted_list(const std::vector<std::string>& texts) {
  std::vector<std::string> list;
  for (const std::string& text : texts) list.push_back(quoted(text));
  return join(list);
}

// 0.3.0, the oldest that CDI's library reads, has all of it.
std::string cdi_text(const std::string& folder, const std::vector<EnvironmentChange>& changes) {
  std::vector<std::string> env;
  for (const auto& [name, value] : changes) env.push_back(name + "=" + value);
  const std::vector<std::string> options(std::begin(cdi_mount_options), std::end(cdi_mount_options));
  std::vector<std::string> mounts;
  for (const auto& [in, at] : shown_folders)
    mounts.push_back("{\"hostPath\": " + quoted(folder + std::string(in)) +
                     ", \"containerPath\": " + quoted(at) + ", \"options\": [" + quoted_list(options) + "]}");
  return "{\"cdiVersion\": \"0.3.0\", \"kind\": " + quoted(cdi_kind) +
         ",\n \"devices\": [{\"name\": \"task\", \"containerEdits\": {\n  \"env\": [" + quoted_list(env) +
         "],\n  \"mounts\": [" + join(mounts, ",\n    ") + "]}}]}\n";
}

// Those that make a process one of Slurm's and MPI's, and what is ours besides.
std::vector<std::string> podman_variables(const std::vector<EnvironmentChange>& changes) {
  std::vector<std::string> beginnings = {"PMIX_", "PMI_",      "PMI2_", "SLURM_",       "SLURMD_",
                                         "UCX_",  "OMPI_MCA_", "NCCL_", "CONTAINER_IB_"};
  std::vector<std::string> variables;
  for (const std::string& beginning : beginnings) variables.push_back(beginning + '*');
  for (const EnvironmentChange& change : changes)
    if (std::none_of(beginnings.begin(), beginnings.end(),
                     [&](const std::string& beginning) { return change.name.starts_with(beginning); }))
      variables.push_back(change.name);
  return variables;
}

// Without append=true the lists would replace those of the user's and the site's settings.
std::string podman_text(const std::string& folder, std::uint32_t uid,
                        const std::vector<EnvironmentChange>& changes) {
  std::string text =
      "# container-ib: what a container of this task has from it. Words of podman's command line count "
      "more.\n"
      "[containers]\n";
  // `dev`, or podman mounts it so that no device can be opened. The other words are what the folder's own
  // mount has, without which it cannot be mounted in a user namespace.
  std::vector<std::string> volumes;
  for (const auto& [in, at] : shown_folders)
    volumes.push_back(folder + std::string(in) + ':' + std::string(at) + ":dev,nosuid,noexec,ro,rprivate");
  text += "volumes = [" + quoted_list(volumes) + ", {append=true}]\n";
  text += "env = [" + quoted_list(podman_variables(changes)) + ", {append=true}]\n";
  // MPI's messages to the node's other tasks and to Slurm, which knows its processes by their user and pid.
  text += "netns = \"host\"\nipcns = \"host\"\npidns = \"host\"\n";
  if (uid != 0) text += "userns = \"keep-id\"\n";  // root is himself inside, and podman refuses this for him
  // For who wants the CDI device; from 5.5 on.
  return text + "[engine]\ncdi_spec_dirs = [" + quoted(cdi_folder_of(folder)) + ", {append=true}]\n";
}

}  // namespace

std::string task_folder_path(const std::string& step_directory, unsigned task) {
  const auto slash = step_directory.rfind('/');
  return step_directory.substr(0, slash) + "-tasks" + step_directory.substr(slash) + '-' +
         std::to_string(task);
}

std::string cdi_folder_of(const std::string& folder) { return folder + '/' + cdi_folder; }
std::string podman_settings_of(const std::string& folder) { return folder + '/' + podman_file; }

std::map<std::string, std::string> task_folder_files(const std::string& folder, std::uint32_t uid,
                                                     const std::vector<EnvironmentChange>& env) {
  return {{cdi_file, cdi_text(folder, env)}, {podman_file, podman_text(folder, uid, env)}};
}

}  // namespace cib
