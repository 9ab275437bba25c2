// What the agent does to the tasks of its step. A task is named by its local id; the adapter holds what
// belongs to it (pidfd, channel, mount namespace). Every call is bounded in time, and a task that died
// meanwhile is an error of code ended, never a hang. Where the task's own file systems do not answer it is
// one of code stuck, and a process of ours is left behind.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "container_ib/action.hpp"
#include "container_ib/endpoint.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/image.hpp"
#include "container_ib/lending.hpp"
#include "container_ib/model.hpp"
#include "container_ib/result.hpp"
#include "container_ib/task_folder.hpp"

namespace cib {

// The container that a plugin before ours has put a task into, which other tasks may be in too, of other
// steps also. Everything but `id` is as its user's namespaces have it.
struct TaskContainer {
  std::string id;  // of its mount namespace; empty: the task is in the one that it offered
  // What its /sys/class/infiniband shows; empty: nobody could look.
  std::optional<std::vector<std::string>> devices = {};
  std::optional<std::uint32_t> uid = {};  // the task's user as the container has it; empty: nobody could look
  bool other_network = false;             // it is not in the network that we left it in
};

// What Attachment does to whom it attaches, be they the tasks of a step or the process of a container.
class AttachedTasks {
 public:
  virtual ~AttachedTasks() = default;

  // Makes slurmstepd's endpoint reachable at the same address and port in that network namespace, until
  // end_relay(). Denied when slurmstepd does not listen there. Nothing to do where it was made before.
  virtual Status relay(const NetnsFile& netns, const TcpEndpoint& endpoint) = 0;
  // No namespace is held by the relay any more.
  virtual void end_relay() = 0;

  // RDMA devices that Slurm keeps from the task (ConstrainDevices on cgroup v2: gres.conf names their nodes,
  // and the step was not given them). None when nobody can tell.
  virtual std::vector<std::string> withheld_from(unsigned task) = 0;

  // What the container that the task was put into brings for MPI.
  virtual Result<ImageFacts> look_at_image(unsigned task) = 0;
  // The next mount_devices() of the task also shows, in its container, the node's libibverbs, these providers
  // and what they are linked with (lent_folder). Unsupported when the image's programs cannot load them,
  // not_found when this node has none.
  virtual Result<LentLibraries> lend_providers(unsigned task, const std::vector<std::string>& providers,
                                               const ImageFacts& image) = 0;
  // Puts a file system over /dev/infiniband in the task's mount namespace that has the uverbs node of each
  // port's device, rdma_cm, with `umad` the umad node of each port, and nothing else.
  virtual Status mount_devices(unsigned task, const std::vector<Port>& ports, bool umad) = 0;
  // Another step has done so in the container that the task shares with it. Changed when not each of these
  // nodes is there.
  virtual Status adopt_devices(unsigned task, const std::vector<Port>& ports, bool umad) = 0;
  // Takes it away again, or what was adopted. Success when it was never there or the task is gone.
  virtual Status unmount_devices(unsigned task) = 0;
  // Puts the devices and files into a folder that is there and empty, and gives it to the task's user, who
  // can read it and nothing else. The devices as mount_devices() has them.
  virtual Status fill_folder(unsigned task, const TaskFolder& folder) = 0;
  // Cgroups that keep the devices of these ports from the task and may be changed for it; none for a task of
  // Slurm's (withheld_from). Denied when they are not its alone.
  virtual Result<std::vector<WidenDeviceCgroup>> device_cgroups_of(unsigned task,
                                                                   const std::vector<Port>& ports,
                                                                   bool umad) = 0;
  // Raises the soft and hard locked-memory limit to `cap` bytes (empty: unlimited); never lowers one.
  virtual Status raise_memlock(unsigned task, std::optional<std::uint64_t> cap) = 0;
};

class Tasks : public AttachedTasks {
 public:
  // Answers the task's offer of its mount namespace, before code of the user has run: it enters that network
  // namespace and sees its devices in /sys; empty: it stays in the node's.
  virtual Status give_network(unsigned task, const NetnsFile& netns) = 0;

  // Some wait for an answer that is not due yet, and shall not give up. To be called as often as anything was
  // done; asks who they are, and tells them, only now and then.
  virtual void ask_for_patience(const std::function<std::vector<unsigned>()>& waiting) = 0;

  // The three answers; each ends the task's conversation. A task that is gone does not get one, and that is
  // no error. One that is declined for no reason goes on without a word.
  virtual void grant(unsigned task, const std::vector<EnvironmentChange>& set,
                     const std::vector<std::string>& lines, bool memlock_raised) = 0;
  virtual void decline(unsigned task, const std::string& why) = 0;
  virtual void refuse(unsigned task, const std::string& why) = 0;

  // What containers show that tasks have started themselves: by task and container, the RDMA devices whose
  // uverbs node is in its /dev/infiniband.
  virtual std::map<unsigned, std::vector<std::vector<std::string>>> look_inside() = 0;

  // Kills every process of the step that outlived slurmstepd and waits for their end for a bounded time;
  // where no cgroup tells which they are, also what is in the containers of `alone`, tasks whose container no
  // other step is in. The names ("pid 17 (sleep)") of those that could not be killed; empty: none is left.
  virtual std::vector<std::string> kill_survivors(const std::vector<unsigned>& alone) = 0;
};

}  // namespace cib
