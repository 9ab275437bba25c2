// The tasks of this step as processes, channels and namespaces: the live side of the port Tasks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/linux/cgroup.hpp"
#include "adapters/linux/container.hpp"
#include "adapters/linux/deadline.hpp"
#include "adapters/linux/node_libraries.hpp"
#include "adapters/linux/shown_devices.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "agent/relay_process.hpp"
#include "container_ib/journal.hpp"
#include "container_ib/world/tasks.hpp"

namespace cib {

// How often tasks that wait are asked to go on. They wait for three minutes (attach_timeout_ms in
// spank/task.cpp), and what is done between two calls may take a while.
inline constexpr int patience_ms = 20'000;

class StepTasks final : public Tasks {
 public:
  // `patience`: how often tasks that wait are told, in ms.
  StepTasks(unsigned count, UniqueFd stepd, int patience = patience_ms)
      : stepd_(std::move(stepd)), tasks_(count), patience_(patience), next_patience_(patience) {}

  // Whose tasks they are, by which survivors in a container that others may be in are told from those.
  struct Of {
    std::uint32_t job = 0, step = 0;
  };
  void belong_to(Of step) { step_ = step; }

  int stepd() const { return stepd_.get(); }

  void set_channel(unsigned task, UniqueFd channel);
  void close_channel(unsigned task);
  int channel(unsigned task) const { return tasks_[task].channel.get(); }

  // Takes over the pidfd. Returns what the journal keeps of the process: its identity, and the cgroup of the
  // step that holds it, empty when Slurm uses none. An error when it has ended and been waited for.
  Result<TaskProcess> set_process(unsigned task, pid_t pid, UniqueFd pidfd);
  int pidfd(unsigned task) const { return tasks_[task].pidfd.get(); }

  // Descriptors that are not closed before this process ends, since whoever closes them may wait for ever for
  // somebody of the user's: what a task sent that is no namespace, and channels with such a thing unread.
  const std::vector<UniqueFd>& never_closed() const { return never_closed_; }
  void keep_open(UniqueFd fd) { never_closed_.push_back(std::move(fd)); }

  // Takes a namespace that the task offers; refused when it is not a mount namespace, or the host's.
  Status offer_mount_namespace(unsigned task, UniqueFd ns);
  // Settles which mount namespace the task is attached in: the one it offered, which must be no other task's,
  // or that of a container, which a plugin before ours (pyxis) has put it into since and which tasks may
  // share; and tells of that container what there is to tell.
  Result<TaskContainer> settle_mount_namespace(unsigned task);

  // Which of these its user has set; the names together fit wire::Ask. No error when it is gone.
  Status ask(unsigned task, const std::vector<std::string>& names);

  // Before the system calls are limited: it is a program of its own. Returns what the journal keeps of it.
  Result<ProcessIdentity> start_relay();

  Status give_network(unsigned task, const NetnsFile& netns) override;
  Status relay(const NetnsFile& netns, const TcpEndpoint& endpoint) override;
  void end_relay() override;
  std::vector<std::string> withheld_from(unsigned task) override;
  Result<LentLibraries> lend_providers(unsigned task, const std::vector<std::string>& providers,
                                       const ImageFacts& image) override;
  Status mount_devices(unsigned task, const std::vector<Port>& ports, bool umad) override;
  Status adopt_devices(unsigned task, const std::vector<Port>& ports, bool umad) override;
  Status unmount_devices(unsigned task) override;
  Result<std::vector<WidenDeviceCgroup>> device_cgroups_of(unsigned, const std::vector<Port>&,
                                                           bool) override {
    return std::vector<WidenDeviceCgroup>();
  }
  Status fill_folder(unsigned task, const TaskFolder& folder) override;
  Status raise_memlock(unsigned task, std::optional<std::uint64_t> cap) override;
  void ask_for_patience(const std::function<std::vector<unsigned>()>& waiting) override;
  void grant(unsigned task, const std::vector<EnvironmentChange>& set, const std::vector<std::string>& lines,
             bool memlock_raised) override;
  void decline(unsigned task, const std::string& why) override;
  void refuse(unsigned task, const std::string& why) override;
  Result<ImageFacts> look_at_image(unsigned task) override;
  std::map<unsigned, std::vector<std::vector<std::string>>> look_inside() override;
  std::vector<std::string> kill_survivors(const std::vector<unsigned>& alone) override;

 private:
  struct Handles {
    // Both namespaces are held to the end: with the last descriptor of one its inode number would go to a
    // stranger's, and who closes it waits for the file systems that it had mounted.
    UniqueFd channel, pidfd, offered, container;
    pid_t pid = -1;
    std::optional<FileOwner> owner;  // of a task that is in a container
    std::uint64_t namespace_inode = 0, container_inode = 0;
    std::optional<std::uint64_t> network;  // that we gave it; empty: the node's
    ShownDevices shown;                    // in its mount namespace

    int attached_in() const { return container ? container.get() : offered.get(); }
  };

  TaskContainer look_at_container(const Handles& task);
  const Handles* sharer_with_devices(unsigned task) const;

  void end_channel(UniqueFd channel);
  template <class Work>
  Status unless_stuck(Work work);
  template <class Work>
  Status until_settled(unsigned task, Work work);
  bool alive(unsigned task) const;
  Status try_adopt_devices(unsigned task, const std::vector<Port>& ports, bool umad);
  Status try_mount_devices(unsigned task, const std::vector<Port>& ports, bool umad);
  const NodeLibraries* lent_to(const Handles& task) const;

  Of step_;
  UniqueFd stepd_;  // pidfd; invalid: it had ended when the agent started
  std::vector<Handles> tasks_;
  std::map<std::uint64_t, StepCgroup> cgroups_;   // of the step, by inode number
  std::map<std::uint64_t, NodeLibraries> lends_;  // by the inode number of a container's mount namespace
  bool told_of_cgroups_ = false;
  std::map<std::uint64_t, std::optional<std::vector<std::string>>> shown_in_;  // by container
  std::vector<UniqueFd> never_closed_;
  std::optional<Error> stuck_;  // why no mount namespace of a task is entered any more
  std::optional<RelayProcess> relay_;
  int patience_;
  Deadline next_patience_;
  std::set<std::pair<NetnsFile, TcpEndpoint>> relayed_;
};

}  // namespace cib
