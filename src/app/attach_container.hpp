// The story of 'container-ib attach': one container that runs already gets what a task of a step gets, and
// keeps it until somebody detaches it or its process has ended.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/step_facts.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/world/kernel.hpp"
#include "container_ib/world/node.hpp"
#include "container_ib/world/state_store.hpp"
#include "container_ib/world/stored_steps.hpp"

namespace cib {

// The container, by its process.
struct ContainerFacts {
  ProcessIdentity process;
  std::uint32_t uid = 0;  // that it runs as
  CpuSet mask = {};
  bool bound = true;                                  // the mask is not just the node's
  TaskContainer inside = {};                          // as the adapter found it
  std::optional<Error> no_network = {};               // why its network can get no interface
  std::map<std::string, std::string> variables = {};  // of its environment, those of environment_inputs()
  std::string gpus = {};                              // as visible_gpus() takes them
};

// What is asked for, and by whom.
struct AttachRequest {
  std::string option;  // as --container-ib= takes it
  std::string config_path, node_name;
  Opened owner;  // boot, PID namespace, since, and `agent`: this process; `stepd` is filled in
  ContainerFacts container;
};

// The world that attaching takes.
struct AttachWorld {
  Node& node;
  AttachedTasks& tasks;  // the container, as task 0
  StateStore& state;
  StoredSteps& stored;
  Kernel& kernel;
};

struct AttachedContainer {
  std::string name;  // "pid-4711"
  Mode mode = Mode::verbs;
  std::vector<std::string> ports;    // "mlx5_0:1"
  std::vector<std::string> netdevs;  // "ib0", in modes that make them
  std::vector<std::string> addresses;
  std::vector<EnvironmentChange> environment;
  bool memlock_raised = false;
  std::vector<std::string> notes;  // one line each: what is not as one may expect
};

// What the option says that a container has no use for, or its text is wrong: bad_request.
Status check_attach_option(const std::string& option);

// All or nothing: when it fails, what was done is given back, or the error says what was not and that the
// journal stays. What died attachments to other containers left is given back before.
Result<AttachedContainer> attach_container(const AttachRequest& request, const AttachWorld& world);

}  // namespace cib
