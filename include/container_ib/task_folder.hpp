// A folder of a task, outside of its mount namespace, for engines that make their containers elsewhere or
// read CDI: rootless podman enters the mount namespace that its user's first container made, in which
// /dev/infiniband is that of an earlier task, or the node's.
//
//   FOLDER/infiniband/                    the task's device nodes
//   FOLDER/cdi/container-ib.org-hca.json  a CDI specification with one device, `task`
//   FOLDER/containers.conf                for podman, from 4.4 on
//
// It is a file system of its own, that only the task's user can enter and nobody can write to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "container_ib/environment.hpp"
#include "container_ib/model.hpp"

namespace cib {

// By which podman is told of a file that counts more than its user's own settings and less than his words.
inline constexpr const char* podman_settings_variable = "CONTAINERS_CONF_OVERRIDE";
inline constexpr const char* cdi_folder_variable = "CONTAINER_IB_CDI";

struct TaskFolder {
  std::string path;  // "/run/container-ib-tasks/17.0-3"
  std::vector<Port> ports;
  bool umad = false;
  std::map<std::string, std::string> files = {};  // contents by their paths in it
};

// The folder of a task, from where the files of its step are, "/run/container-ib/17.0". Not in there: that is
// root's alone, and may be on a mount that passes nothing on to other mount namespaces.
std::string task_folder_path(const std::string& step_directory, unsigned task);
std::string cdi_folder_of(const std::string& folder);
std::string podman_settings_of(const std::string& folder);

// What is to be in it for a task of that user which has these variables of ours.
std::map<std::string, std::string> task_folder_files(const std::string& folder, std::uint32_t uid,
                                                     const std::vector<EnvironmentChange>& env);

}  // namespace cib
