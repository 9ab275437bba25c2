#include "agent/step_tasks.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "adapters/linux/cgroup.hpp"
#include "adapters/linux/container.hpp"
#include "adapters/linux/device_cgroup.hpp"
#include "adapters/linux/devices.hpp"
#include "adapters/linux/hca_classes.hpp"
#include "adapters/linux/image.hpp"
#include "adapters/linux/listen_in_network.hpp"
#include "adapters/linux/memlock.hpp"
#include "adapters/linux/namespaces.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "adapters/linux/survivors.hpp"
#include "adapters/linux/sysfs_mount.hpp"
#include "adapters/linux/task_folder.hpp"
#include "adapters/netlink/listening_ports.hpp"
#include "agent/log.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr int task_answer_timeout_ms =
    1'000;  // a task in task_init reads at once; one that does not is broken
constexpr int kill_timeout_ms = 5'000;
constexpr int most_unread = 10'000;  // frames; a socket's buffer takes some hundreds

// A mount namespace of the host's user namespace may be that of the host, of a daemon or of all steps of a
// job; what a task joins without privileges belongs to a user namespace of its user's.
Status check_owned_by_user(int mount_namespace) {
  const UniqueFd owner(::ioctl(mount_namespace, NS_GET_USERNS));
  if (!owner) return error(Errc::kernel, "find the owner of the container's mount namespace", errno);
  CIB_TRY(const auto theirs, namespace_of_descriptor(owner.get(), "user"));
  CIB_TRY(const auto host, namespace_of_process(::getpid(), "user"));
  if (theirs == host)
    return error(Errc::denied,
                 "it is neither in the mount namespace that it offered nor in a user's container");
  return {};
}

template <class M>
void answer(int channel, const std::string& text) {
  M message;
  message.text.set_cut(text);
  (void)send_frame(channel, message, task_answer_timeout_ms);  // a task that is gone needs no answer
}

// There is room for all of it, so that a node which keeps the task from running for a while cuts off nothing.
Status send_grant(int channel, const std::vector<EnvironmentChange>& set,
                  const std::vector<std::string>& lines, bool memlock_raised) {
  reserve_room(channel,
               set.size() * sizeof(wire::Variable) + lines.size() * sizeof(wire::Line) + sizeof(wire::Grant));
  for (const EnvironmentChange& change : set) {
    wire::Variable variable;
    if (!variable.name.set(change.name) || !variable.value.set(change.value)) {
      answer<wire::Refuse>(channel, "variable " + change.name + " is too long to pass on");
      return {};
    }
    CIB_CHECK(send_frame(channel, variable, task_answer_timeout_ms));
  }
  for (const std::string& text : lines) {
    wire::Line line;
    line.text.set_cut(text);
    CIB_CHECK(send_frame(channel, line, task_answer_timeout_ms));
  }
  wire::Grant grant;
  grant.memlock_raised = memlock_raised ? 1 : 0;
  return send_frame(channel, grant, task_answer_timeout_ms);
}

}  // namespace

void StepTasks::set_channel(unsigned task, UniqueFd channel) {
  close_channel(task);
  tasks_[task].channel = std::move(channel);
}

void StepTasks::close_channel(unsigned task) { end_channel(std::move(tasks_[task].channel)); }

// Closing a socket closes what is unread in it. Nothing more comes once the conversation is over, so what
// there is can be read first; a frame with descriptors stays where it is.
void StepTasks::end_channel(UniqueFd channel) {
  if (!channel) return;
  end_conversation(channel.get());
  for (int i = 0; i < most_unread; ++i) {
    const auto frame = receive_frame(channel.get(), 0);
    const bool more = frame ? frame->size != 0 : frame.error().code == Errc::corrupt;
    if (more) continue;
    if (frame || frame.error().code != Errc::denied) return;
    break;
  }
  keep_open(std::move(channel));
}

Result<TaskProcess> StepTasks::set_process(unsigned task, pid_t pid, UniqueFd pidfd) {
  TaskProcess process{identity_of(pid), "", ""};
  auto cgroup = step_cgroup_of(pid);
  // Asked last: when the number is still this process' now, what was read of it is its own.
  CIB_TRY(const pid_t holder, pid_of(pidfd.get()));
  if (holder != pid) return error(Errc::corrupt, "the pidfd of another process");
  tasks_[task].pid = pid;
  tasks_[task].pidfd = std::move(pidfd);
  if (!cgroup) return process;
  process.cgroup = cgroup->path;
  process.cgroup_inode = std::to_string(cgroup->inode);
  cgroups_.emplace(cgroup->inode, std::move(*cgroup));  // one for all tasks, as a rule
  return process;
}

bool StepTasks::alive(unsigned task) const {
  return tasks_[task].pidfd.valid() && !has_ended(tasks_[task].pidfd.get());
}

Status StepTasks::offer_mount_namespace(unsigned task, UniqueFd ns) {
  const auto offered = namespace_of_descriptor(ns.get(), "mnt");
  if (!offered) {
    keep_open(std::move(ns));
    return offered.error();
  }
  CIB_TRY(const auto own, namespace_of_process(::getpid(), "mnt"));
  if (*offered == own) return error(Errc::denied, "the offered mount namespace is the host's");
  tasks_[task].offered = std::move(ns);
  tasks_[task].namespace_inode = *offered;
  return {};
}

Result<TaskContainer> StepTasks::settle_mount_namespace(unsigned task) {
  Handles& t = tasks_[task];
  if (!t.offered.valid()) return error(Errc::denied, "ready without a mount namespace");
  if (!t.pidfd.valid()) return error(Errc::denied, "ready before slurmstepd told of it");
  const std::string path = "/proc/" + std::to_string(t.pid) + "/ns/mnt";
  UniqueFd actual(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!actual) return error(errno == ENOENT ? Errc::ended : Errc::kernel, "open " + path, errno);
  CIB_TRY(const auto inode, namespace_of_descriptor(actual.get(), "mnt"));
  // Asked last: so what we opened was of that process.
  if (!alive(task) || !holds_number(t.pidfd.get(), t.pid)) return error(Errc::ended, "it has ended");
  if (inode != t.namespace_inode) {
    t.container = std::move(actual);
    CIB_CHECK(check_owned_by_user(t.container.get()));
    t.owner = file_owner_of(t.pid);
    t.container_inode = inode;
    return look_at_container(t);
  }
  for (const Handles& other : tasks_)
    if (&other != &t && other.namespace_inode == t.namespace_inode)
      return error(Errc::denied, "its mount namespace is another task's");
  return TaskContainer();
}

// What cannot be seen is no reason to refuse anything. The tasks that share one see the same.
TaskContainer StepTasks::look_at_container(const Handles& task) {
  TaskContainer found{.id = std::to_string(task.container_inode)};
  if (task.owner) found.uid = uid_inside(task.pid, task.owner->uid);
  const auto network = namespace_of_process(task.pid, "net");
  const auto nodes = namespace_of_process(::getpid(), "net");
  if (network && nodes) found.other_network = *network != task.network.value_or(*nodes);
  auto& shown = shown_in_[task.container_inode];
  if (!shown)
    (void)unless_stuck([&]() -> Status {
      CIB_TRY(shown, rdma_devices_shown_in(task.container.get()));
      return {};
    });
  found.devices = shown;
  return found;
}

// The task that the devices were mounted for in the container that this one is in too.
const StepTasks::Handles* StepTasks::sharer_with_devices(unsigned task) const {
  const auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const Handles& other) {
    return tasks_[task].container.valid() && other.container_inode == tasks_[task].container_inode &&
           other.shown.devices != 0;
  });
  return found == tasks_.end() ? nullptr : &*found;
}

// The sysfs comes first: a task that has the namespace goes on, and looks.
Status StepTasks::give_network(unsigned task, const NetnsFile& file) {
  Handles& t = tasks_[task];
  if (file.empty()) return send_frame(t.channel.get(), wire::Network{}, task_answer_timeout_ms);
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(file));
  CIB_TRY(const UniqueFd sysfs, sysfs_of_network_namespace(netns.get()));
  CIB_CHECK(mount_over_sys(t.offered.get(), sysfs));
  const int fd = netns.get();
  struct stat status {};
  if (::fstat(fd, &status) == 0) t.network = status.st_ino;  // the file that keeps it has another name
  return send_frame(t.channel.get(), wire::Network{}, task_answer_timeout_ms, std::span(&fd, 1));
}

Result<ProcessIdentity> StepTasks::start_relay() {
  if (!stepd_) return error(Errc::ended, "slurmstepd has ended");
  CIB_TRY(auto started, cib::start_relay(stepd_.get()));
  relay_.emplace(std::move(started));
  return identity_of(relay_->pid);
}

Status StepTasks::relay(const NetnsFile& file, const TcpEndpoint& endpoint) {
  if (relayed_.contains({file, endpoint})) return {};
  if (!relay_) return error(Errc::bug, "there is no relay");
  CIB_CHECK(check_listening(stepd_.get(), endpoint));
  CIB_TRY(const UniqueFd netns, open_pinned_network_namespace(file));
  CIB_TRY(const UniqueFd listener, listen_in_network(netns.get(), endpoint));
  // Until slurmstepd ends, and not a task: the tasks of a node may share the namespace.
  CIB_CHECK(relay_listener(*relay_, listener.get(), stepd_.get(), endpoint));
  relayed_.insert({file, endpoint});
  return {};
}

void StepTasks::end_relay() {
  if (relay_) cib::end_relay(std::move(*relay_));
  relay_.reset();
}

// One user's file systems keep this step waiting once: each time costs seconds, and leaves a process.
template <class Work>
Status StepTasks::unless_stuck(Work work) {
  if (stuck_) return *stuck_;
  auto status = work();
  if (!status && status.error().code == Errc::stuck) {
    stuck_ = status.error();
    log_error(stuck_->message());
  }
  return status;
}

template <class Work>
Status StepTasks::until_settled(unsigned task, Work work) {
  return cib::until_settled([&] { return unless_stuck(work); }, [&] { return alive(task); });
}

Status StepTasks::mount_devices(unsigned task, const std::vector<Port>& ports, bool umad) {
  return until_settled(task, [&] { return try_mount_devices(task, ports, umad); });
}

Status StepTasks::try_mount_devices(unsigned task, const std::vector<Port>& ports, bool umad) {
  if (!alive(task)) return error(Errc::ended, "the task has ended");
  if (const Handles* other = sharer_with_devices(task)) {
    CIB_TRY(const auto nodes, find_device_nodes(ports, umad));
    std::vector<std::string> names;
    for (const DeviceNode& node : nodes) names.push_back(node.name);
    if (other->shown.nodes == names) return {};
    return error(Errc::bad_request,
                 "the node's tasks share a container, which has one /dev/infiniband for all; say scope=node");
  }
  Handles& t = tasks_[task];
  auto status = show_devices(t.attached_in(),
                             {.ports = ports,
                              .umad = umad,
                              .maker = t.owner,
                              .shown_before = t.container ? shown_in_[t.container_inode] : std::nullopt,
                              .lent = lent_to(t)},
                             t.shown);
  return !status && t.container ? Status(no_place_for_devices(std::move(status).error())) : status;
}

std::vector<std::string> StepTasks::withheld_from(unsigned task) {
  if (const auto some = has_device_programs(tasks_[task].pid); some && !*some) return {};
  const auto devices = rdma_devices_by_number();
  std::vector<DeviceNumber> numbers;
  for (const auto& [number, name] : devices) numbers.push_back({major(number), minor(number)});
  const auto kept = devices_kept_from(tasks_[task].pid, numbers);
  if (!kept && !std::exchange(told_of_cgroups_, true))
    log_error("which devices Slurm's cgroup keeps from the tasks is not known: " + kept.error().message());
  std::vector<std::string> names;
  if (!kept || !alive(task)) return names;
  for (const DeviceNumber& number : *kept) names.push_back(devices.at(makedev(number.major, number.minor)));
  return names;
}

Result<LentLibraries> StepTasks::lend_providers(unsigned task, const std::vector<std::string>& providers,
                                                const ImageFacts& image) {
  CIB_TRY(auto libraries, read_node_libraries(providers));
  CIB_CHECK(check_can_borrow(image, libraries.glibc));
  return lends_.insert_or_assign(tasks_[task].container_inode, std::move(libraries)).first->second.lent;
}

const NodeLibraries* StepTasks::lent_to(const Handles& task) const {
  const auto found = task.container ? lends_.find(task.container_inode) : lends_.end();
  return found == lends_.end() ? nullptr : &found->second;
}

Status StepTasks::adopt_devices(unsigned task, const std::vector<Port>& ports, bool umad) {
  return until_settled(task, [&] { return try_adopt_devices(task, ports, umad); });
}

Status StepTasks::try_adopt_devices(unsigned task, const std::vector<Port>& ports, bool umad) {
  if (!alive(task)) return error(Errc::ended, "the task has ended");
  Handles& t = tasks_[task];
  if (sharer_with_devices(task) != nullptr) return {};
  return cib::adopt_devices(t.attached_in(), ports, umad, t.shown);
}

Status StepTasks::fill_folder(unsigned task, const TaskFolder& folder) {
  std::vector<DeviceNode> nodes;
  const auto put_them = [&]() -> Status {
    CIB_TRY(nodes, find_device_nodes(folder.ports, folder.umad));
    CIB_CHECK(put_devices_into(folder.path, nodes));
    if (are_still(nodes, folder.ports, folder.umad)) return {};
    CIB_CHECK(take_devices_out_of(folder.path));
    return error(Errc::changed, "the RDMA devices changed while they were put there; try again");
  };
  CIB_CHECK(until_settled(task, put_them));
  const auto owner = file_owner_of(tasks_[task].pid);
  if (!alive(task)) return error(Errc::ended, "the task has ended");  // asked last: so that was its own
  if (!owner) return error(Errc::kernel, "find who the task's process is");
  CIB_CHECK(finish_task_folder(folder.path, nodes, folder.files, *owner));
  return unless_stuck([&] { return check_shows(tasks_[task].offered.get(), folder.path); });
}

Status StepTasks::unmount_devices(unsigned task) {
  Handles& t = tasks_[task];
  if (t.shown.empty()) return {};
  return unless_stuck([&] { return hide_devices(t.attached_in(), t.shown); });
}

Status StepTasks::ask(unsigned task, const std::vector<std::string>& names) {
  wire::Ask message;
  if (!message.names.set(join(names, ",")))
    return error(Errc::bug, "the names of the site's variables are too long to ask for");
  auto status = send_frame(tasks_[task].channel.get(), message, task_answer_timeout_ms);
  return !status && status.error().code == Errc::peer_gone ? Status() : status;
}

Status StepTasks::raise_memlock(unsigned task, std::optional<std::uint64_t> cap) {
  if (!alive(task)) return error(Errc::ended, "the task has ended");
  return raise_memlock_of(tasks_[task].pidfd.get(), cap);
}

// One that does not read has a full socket, and hears it the next time.
void StepTasks::ask_for_patience(const std::function<std::vector<unsigned>()>& waiting) {
  if (!next_patience_.passed()) return;
  next_patience_ = Deadline(patience_);
  for (const unsigned task : waiting())
    if (tasks_[task].channel) (void)send_frame(tasks_[task].channel.get(), wire::Patience{}, 0);
}

// The answer is the end of the conversation: whoever holds the task's end after it, a child that outlives the
// task for example, talks to nobody.
void StepTasks::grant(unsigned task, const std::vector<EnvironmentChange>& set,
                      const std::vector<std::string>& lines, bool memlock_raised) {
  UniqueFd channel = std::move(tasks_[task].channel);
  const auto status = send_grant(channel.get(), set, lines, memlock_raised);
  end_channel(std::move(channel));
  if (!status && alive(task))
    log_error("task " + std::to_string(task) + ": its answer was cut off: " + status.error().message());
}

void StepTasks::decline(unsigned task, const std::string& why) {
  UniqueFd channel = std::move(tasks_[task].channel);
  answer<wire::Decline>(channel.get(), why);
  end_channel(std::move(channel));
}

void StepTasks::refuse(unsigned task, const std::string& why) {
  UniqueFd channel = std::move(tasks_[task].channel);
  answer<wire::Refuse>(channel.get(), why);
  end_channel(std::move(channel));
}

Result<ImageFacts> StepTasks::look_at_image(unsigned task) {
  const UniqueFd& container = tasks_[task].container;
  if (!container) return error(Errc::bug, "task " + std::to_string(task) + " is in no container");
  ImageFacts facts;
  CIB_CHECK(unless_stuck([&]() -> Status {
    CIB_TRY(facts, look_at_image_of(container.get()));
    return {};
  }));
  return facts;
}

std::map<unsigned, std::vector<std::vector<std::string>>> StepTasks::look_inside() {
  std::vector<pid_t> living;
  std::set<std::uint64_t> known;
  for (unsigned task = 0; task < tasks_.size(); ++task) {
    if (alive(task)) living.push_back(tasks_[task].pid);
    known.insert({tasks_[task].namespace_inode, tasks_[task].container_inode});
  }
  std::map<unsigned, std::vector<std::vector<std::string>>> found;
  (void)unless_stuck([&]() -> Status {
    const Insides insides = cib::look_inside(living, known);
    for (unsigned task = 0; task < tasks_.size(); ++task)
      if (const auto its = insides.of.find(tasks_[task].pid); its != insides.of.end() && alive(task))
        found[task] = its->second;
    return insides.stuck
               ? error(Errc::stuck, "look into the tasks' containers: a file system does not answer")
               : Status();
  });
  return found;
}

// By the namespace that the task offered, which is this step's alone: a container's may be shared with other
// steps of its user, also with some that we do not know of, and is asked only where no cgroup can be.
std::vector<std::string> StepTasks::kill_survivors(const std::vector<unsigned>& alone) {
  Survivors survivors{.job = step_.job, .step = step_.step};
  if (cgroups_.empty())
    for (const unsigned task : alone)
      if (tasks_[task].container) survivors.containers.push_back(tasks_[task].container.get());
  for (const Handles& t : tasks_) {
    if (t.pidfd.valid()) survivors.tasks.push_back(t.pidfd.get());
    if (t.offered.valid()) survivors.mount_namespaces.push_back(t.offered.get());
  }
  for (const auto& [inode, cgroup] : cgroups_) survivors.cgroups.push_back(&cgroup);
  return cib::kill_survivors(survivors, kill_timeout_ms);
}

}  // namespace cib
