// The journal of a step on a node: what was done to the node, written before it is done.
//
// Text, one record a line:  CIB1 <crc32> <seq> <mark> <verb> key=value ...
// A torn last line is the end (its effect never started). Anything else that does not parse is corrupt, and
// so is another version than CIB1 or a verb that this version does not have: the reader then keeps the file
// and what it names, and tells, rather than guess.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "container_ib/action.hpp"
#include "container_ib/result.hpp"

namespace cib {

enum class Mark { intent, done, undone };

// A process by its pid and start time, which together are never used twice in one boot, as /proc has them.
struct ProcessIdentity {
  std::string pid, start;
};

// Who serves the step, and who must be dead before anybody reaps: always the first record. Of an attachment
// to a container: the container's process in place of slurmstepd, and 'container-ib attach' in place of the
// agent.
struct Opened {
  static constexpr std::string_view verb = "open";
  ProcessIdentity stepd, agent;
  std::string boot;           // random UUID of this boot
  std::string pid_namespace;  // whose numbers all pids of the journal are, by its inode number
  std::string since;          // seconds of the epoch
  std::string uid, node, option;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("stepd_pid", self.stepd.pid);
    visit("stepd_start", self.stepd.start);
    visit("agent_pid", self.agent.pid);
    visit("agent_start", self.agent.start);
    visit("boot", self.boot);
    visit("pid_namespace", self.pid_namespace);
    visit("since", self.since);
    visit("uid", self.uid);
    visit("node", self.node);
    visit("option", self.option);
  }
};

// A task's process, and its step's cgroup by path and inode number; empty where it has none.
struct TaskProcess : ProcessIdentity {
  std::string cgroup = {}, cgroup_inode = {};
};

struct TaskNoted {
  static constexpr std::string_view verb = "task";
  unsigned task = 0;
  TaskProcess process;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("task", self.task);
    visit("task_pid", self.process.pid);
    visit("task_start", self.process.start);
    visit("cgroup", self.process.cgroup);
    visit("cgroup_inode", self.process.cgroup_inode);
  }
};

struct RelayNoted {
  static constexpr std::string_view verb = "relay";
  ProcessIdentity process;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("relay_pid", self.process.pid);
    visit("relay_start", self.process.start);
  }
};

// What the step uses, "mlx5_0:1,mlx5_1:1", and its mode: written when everything is attached, and again for a
// task that comes late.
struct PortsNoted {
  static constexpr std::string_view verb = "ports";
  std::string mode, ports;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("mode", self.mode);
    visit("ports", self.ports);
  }
};

// A mount that ends with its task's namespace, or with the container's that the task is in (`container`:
// TaskContainer::id), so the reaper need not undo it.
struct DevicesMounted {
  static constexpr std::string_view verb = "mount_devices";
  unsigned task = 0;
  std::string ports;
  std::string container = {};

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("task", self.task);
    visit("ports", self.ports);
    visit("container", self.container);
  }
};

// The node's libraries that the container of that task was lent, "libibverbs.so.1,libmlx5-rdmav34.so": they
// are beside its devices, and go with them.
struct ProvidersLent {
  static constexpr std::string_view verb = "lend_providers";
  unsigned task = 0;
  std::string files;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("task", self.task);
    visit("files", self.files);
  }
};

// "pid 17 (sleep)": it could not be killed, and may hold what the step had.
struct Quarantined {
  static constexpr std::string_view verb = "quarantine";
  std::string process;

  template <class Self, class Visit>
  static void each_field(Self& self, Visit visit) {
    visit("process", self.process);
  }
};

// The action of that record was undone.
struct Undone {
  std::string verb;  // the action's
  std::uint32_t of = 0;
};

using Event = std::variant<Opened, TaskNoted, RelayNoted, PortsNoted, DevicesMounted, ProvidersLent,
                           Quarantined, Undone, Action>;

struct Record {
  std::uint32_t seq = 0;
  Mark mark = Mark::intent;
  Event event;
};

// The record's event if it is of this kind, which may be one of the actions.
template <class Kind>
const Kind* get_if(const Record& record) {
  if constexpr (std::is_constructible_v<Action, const Kind&> && !std::is_same_v<Kind, Action>) {
    const auto* action = std::get_if<Action>(&record.event);
    return action == nullptr ? nullptr : std::get_if<Kind>(action);
  } else {
    return std::get_if<Kind>(&record.event);
  }
}

std::string encode_record(const Record& record);  // with the newline
// What is in it, without version and checksum, in printable characters: "7 intent vf_link name=ib0 pci=..."
std::string record_text(const Record& record);
Result<std::vector<Record>> decode_journal(std::string_view contents);  // in file order

// For a line: "mount_devices of task 3", "vf_link of 0000:21:00.1", "open".
std::string describe(const Event& event);

// Null when the journal does not begin with it, as one whose agent died before it changed anything.
const Opened* opened(const std::vector<Record>& records);
// The last record of that kind. Empty members before there is one.
PortsNoted ports_of(const std::vector<Record>& records);
// What the step has mounted in that container, "mlx5_0:1,mlx5_1:1"; empty: nothing.
std::string ports_in_container(const std::vector<Record>& records, const std::string& container);
// Who could not be killed; empty: nobody.
std::string quarantined(const std::vector<Record>& records);

// "pid-4711": the name of what is attached to a container by its process, which no step's can be: those begin
// with the number of a job.
std::string container_attachment(const std::string& pid);
bool is_container_attachment(const std::string& name);
// "step 17.0" or "attachment pid-4711", for a line.
std::string title_of(const std::string& name);
// Whether an attachment to a container has all that it was to have: its devices are mounted last, and taken
// away first.
bool is_whole_attachment(const std::vector<Record>& records);
// The container that devices were mounted in, or were to be; empty: in none.
std::string container_of(const std::vector<Record>& records);

// "17.0", "17.batch", "17.extern", "17.interactive": a step's name, as Slurm prints it (slurm.h:
// SLURM_*_STEP).
std::string step_name(std::uint32_t job, std::uint32_t step);

}  // namespace cib
