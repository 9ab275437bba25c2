// What the reaper can see and do of steps whose agent may be gone.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "container_ib/journal.hpp"
#include "container_ib/model.hpp"
#include "container_ib/result.hpp"

namespace cib {

struct JournaledStep {
  std::string name;  // "17.0"
  Result<std::vector<Record>> records;
  bool held = false;  // its agent lives, in whatever namespace
};

// A process as a journal names it, and whose number its pid is: that of the PID namespace of who wrote the
// journal, by its inode number; empty: in ours.
struct JournaledProcess : TaskProcess {
  std::string pid_namespace = {};
};

// A mount of ours in a container: where it is, and its st_dev ("0:57").
struct ContainerMount {
  std::string point, device;
};

class StoredSteps {
 public:
  virtual ~StoredSteps() = default;
  virtual Result<std::vector<JournaledStep>> steps() = 0;  // sorted by name
  virtual Result<std::string> boot_id() = 0;
  virtual bool is_alive(const JournaledProcess& process) = 0;
  // Kills the processes and everything in their cgroups, in bounded time. The names of those that are left,
  // and of who has one of the cgroups now instead.
  virtual std::vector<std::string> kill(const std::vector<JournaledProcess>& processes) = 0;
  // Calls `work` with what the step's journal holds now, while no other reaper can do so; not if the step is
  // gone. Waits for another reaper in bounded time; timed_out after that.
  virtual Status exclusively(const std::string& step,
                             const std::function<void(const JournaledStep&)>& work) = 0;
  // Waits until the step's agent has ended, in bounded time.
  virtual void await_agent(const std::string& step) = 0;
  // Removes a step that was given back. Returns where its journal is kept for a maintainer, empty if it is
  // not.
  virtual Result<std::string> bury(const std::string& step) = 0;
  // The same without keeping anything: of an attachment that ended as it should.
  virtual Status forget(const std::string& step) = 0;
  // One more record for the journal of a step that nobody holds. The caller has it exclusively.
  virtual Status note(const std::string& step, const Record& record) = 0;

  // What of ours is on top at /dev/infiniband and at the classes of HCAs in /sys in that container
  // (TaskContainer::id), as that process sees it; none also when the process has ended or is in another one.
  // No file system of the container's is asked.
  virtual Result<std::vector<ContainerMount>> device_mounts_of(const JournaledProcess& process,
                                                               const std::string& container) = 0;
  // Takes these away, the devices first; success where something else is on top by now, or nothing.
  virtual Status unmount_devices(const JournaledProcess& process, const std::string& container,
                                 const std::vector<ContainerMount>& mounts) = 0;
  // Whether the task sees the device nodes of these ports, and they are those devices; success when it has
  // ended.
  virtual Status verify_devices(const JournaledProcess& task, const std::vector<Port>& ports) = 0;
  // By mount namespace that the task or what descends from it is in, the RDMA devices whose uverbs node is in
  // its /dev/infiniband; none when the task has ended.
  virtual std::vector<std::vector<std::string>> look_inside(const JournaledProcess& task) = 0;
};

}  // namespace cib
