#include "spank/task.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/linux/seqpacket.hpp"
#include "container_ib/engines.hpp"
#include "container_ib/environment.hpp"
#include "container_ib/pmix_endpoint.hpp"
#include "container_ib/task_devices.hpp"
#include "container_ib/text.hpp"
#include "spank/container_plugin.hpp"
#include "spank/job.hpp"
#include "spank/say.hpp"
#include "spank/script.hpp"

namespace cib {

namespace {

constexpr int task_send_timeout_ms = 5'000;
constexpr int network_timeout_ms = 60'000;
constexpr std::size_t longest_variable = 128UL * 1024;  // MAX_ARG_STRLEN: what exec takes
// For the next message of the agent's, which sends one of kind patience much more often while it works or
// waits (patience_ms in step_tasks.hpp), however long the site and the user let it. When it dies the channel
// is closed.
constexpr int attach_timeout_ms = 180'000;

// Of this task; one task, one process.
UniqueFd channel;
unsigned task_id = 0;                          // on this node
std::optional<std::string> declined;           // why it goes on without us; empty text: nobody is told
std::map<std::string, std::string> users_own;  // what its user has set of what the agent has asked for
std::vector<std::string> users_environment;    // "NAME=value", before another plugin or Slurm's PMIx adds any
wire::Ready ready;
std::vector<std::string> set_by_us;  // names of variables
ino_t own_mount_namespace = 0;       // that we made for it

int refuse(const std::string& why) {
  complain("container-ib: " + why);
  return -1;
}

std::string explain(const Error& error) {
  return error.code == Errc::peer_gone ? "the agent on this node died; see its syslog and try again"
                                       : error.message();
}

// With require=no the task goes on as if nobody had asked, and the user is told; else it ends here. Where
// nobody has asked but the site one task tells for all.
int give_up(const SlurmstepdHalf& step, const std::string& why) {
  if (step.must_attach()) return refuse(why);
  declined = step.by_default() && (task_id != 0 || step.node_id() != 0) ? "" : why;
  return 0;
}

// What the agent refuses is refused whatever was required, but to who has asked.
int give_up(const SlurmstepdHalf& step, const Error& error) {
  if (error.code == Errc::denied && !step.by_default()) return refuse(error.what);
  return give_up(step, explain(error));
}

ino_t mount_namespace_now() {
  struct stat status {};
  return ::stat("/proc/self/ns/mnt", &status) == 0 ? status.st_ino : 0;
}

Status make_mount_namespace(const std::string& container) {
  if (::unshare(CLONE_NEWNS) != 0) return error(Errc::kernel, "make a mount namespace", errno);
  // What is mounted here must not show on the node; what is mounted on the node (automounts) must show here.
  if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0)
    return error(Errc::kernel, "cut the mount namespace off the node's", errno);
  // As systemd leaves it for who makes others from it: rootless podman warns where it is not so.
  (void)::mount(nullptr, "/", nullptr, MS_SHARED, nullptr);
  const UniqueFd ns(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!ns) return error(Errc::kernel, "open /proc/self/ns/mnt", errno);
  own_mount_namespace = mount_namespace_now();
  wire::Namespaces message;
  message.container_option.set_cut(container);
  const int fd = ns.get();
  return send_frame(channel.get(), message, task_send_timeout_ms, std::span(&fd, 1));
}

// The agent answers when it has read the site's file and the node. What it refuses by then it refuses here.
Status enter_network() {
  CIB_TRY(Frame frame, receive_frame(channel.get(), network_timeout_ms, 1));
  if (frame.size == 0) return error(Errc::peer_gone, "closed");
  CIB_TRY(const wire::Kind kind, wire::kind_of(frame.bytes.data(), frame.size));
  if (kind == wire::Kind::refuse) {
    CIB_TRY(const auto refuse, wire::read_frame<wire::Refuse>(frame.bytes.data(), frame.size));
    return error(Errc::denied, refuse.text.get());
  }
  CIB_TRY([[maybe_unused]] const auto message,
          wire::read_frame<wire::Network>(frame.bytes.data(), frame.size));
  if (frame.fds.empty()) return {};
  if (::setns(frame.fds.front().get(), CLONE_NEWNET) != 0)
    return error(Errc::kernel, "enter the network namespace", errno);
  return {};
}

bool get_variable(spank_t spank, const std::string& name, std::string& value) {
  static std::string buffer(longest_variable, '\0');
  const auto rc = spank_getenv(spank, name.c_str(), buffer.data(), static_cast<int>(buffer.size()) - 1);
  if (rc != ESPANK_SUCCESS && rc != ESPANK_NOSPACE) return false;
  value = buffer.c_str();
  return true;
}

// Slurm's PMIx plugin sets these between task_init_privileged and task_init. The others are the user's own
// only in the former: a plugin that makes containers (pyxis) puts the image's and its engine's into the
// latter, over the user's.
bool set_by_slurm(std::string_view name) {
  return name.starts_with("PMIX_") && !name.starts_with("PMIX_MCA_");
}

// Of what the site's file has the plugin knows no names, so all of it is kept.
void keep_users_environment(spank_t spank) {
  char** job = nullptr;
  if (spank_get_item(spank, S_JOB_ENV, &job) != ESPANK_SUCCESS || job == nullptr) return;
  for (; *job != nullptr; ++job) users_environment.emplace_back(*job);
}

Status send_variable(const std::string& name, const std::string& value) {
  wire::UserVariable message;
  if (!message.name.set(name)) return error(Errc::bug, "variable name " + name + " is too long");
  message.value.set_cut(value);
  return send_frame(channel.get(), message, task_send_timeout_ms);
}

Status report_variables(spank_t spank, bool of_slurm) {
  std::vector<std::string_view> names = environment_inputs();
  const auto& servers = pmix_server_variables();
  names.insert(names.end(), servers.begin(), servers.end());
  for (const std::string_view known : names) {
    if (set_by_slurm(known) != of_slurm) continue;
    const std::string name(known);
    std::string value;
    if (!get_variable(spank, name, value)) continue;
    if (!of_slurm) users_own[name] = value;
    CIB_CHECK(send_variable(name, value));
  }
  return {};
}

// A plugin that has put the task into a container since has the image's variables over the user's.
Status restore_users_own(spank_t spank) {
  if (own_mount_namespace != 0 && mount_namespace_now() == own_mount_namespace) return {};
  for (const auto& [name, value] : users_own)
    if (spank_setenv(spank, name.c_str(), value.c_str(), 1) != ESPANK_SUCCESS)
      return error(Errc::kernel, "set " + name + " in the task's environment");
  return {};
}

// As far as can be seen: what a program starts by itself cannot. What follows from it changes nothing between
// nodes.
bool may_get_user_namespace(spank_t spank) {
  if (variable_is_set(spank, "SLURM_CONTAINER")) return true;  // Slurm starts a runtime for each task
  const auto command = command_words(spank);
  if (const EnginesOfCommand engines = engines_of(command); engines.any) return engines.user_namespaces;
  std::string path;
  (void)get_variable(spank, "PATH", path);
  return engines_of_script(scripts_of(command, path)).user_namespaces;
}

Status report_ready(spank_t spank) {
  CIB_CHECK(restore_users_own(spank));
  CIB_CHECK(report_variables(spank, true));
  std::string value, granted;
  if (get_variable(spank, "CUDA_VISIBLE_DEVICES", value) ||
      get_variable(spank, "ROCR_VISIBLE_DEVICES", value) || get_variable(spank, "ZE_AFFINITY_MASK", value)) {
    (void)get_variable(spank, "SLURM_STEP_GPUS", granted);
    ready.gpus.set_cut(node_wide_gpus(value, granted));
  }
  if (get_variable(spank, "SLURM_STEP_NICS", value)) ready.nics.set_cut(value);
  ready.user_namespace = may_get_user_namespace(spank) ? 1 : 0;
  return send_frame(channel.get(), ready, task_send_timeout_ms);
}

// What the user has set of the site's variables stays as it is, and so the agent has to know.
Status answer_ask(spank_t spank, const std::string& names) {
  for (const std::string_view name : split(names, ',')) {
    for (const std::string& entry : users_environment) {
      if (!entry.starts_with(name) || entry.size() <= name.size() || entry[name.size()] != '=') continue;
      const std::string value = entry.substr(name.size() + 1);
      CIB_CHECK(send_variable(std::string(name), value));
      users_own[std::string(name)] = value;
      break;
    }
  }
  CIB_CHECK(restore_users_own(spank));
  return send_frame(channel.get(), ready, task_send_timeout_ms);
}

// One frame of the answer; `complete` when it was the last. The agent's refusal is an error of code denied.
Status take_over(spank_t spank, const Frame& frame, bool& complete) {
  const auto* bytes = frame.bytes.data();
  CIB_TRY(const wire::Kind kind, wire::kind_of(bytes, frame.size));
  complete = kind != wire::Kind::variable && kind != wire::Kind::line && kind != wire::Kind::patience &&
             kind != wire::Kind::ask;
  if (kind == wire::Kind::patience) {
    CIB_TRY([[maybe_unused]] const auto patience, wire::read_frame<wire::Patience>(bytes, frame.size));
    return {};
  }
  if (kind == wire::Kind::ask) {
    CIB_TRY(const auto ask, wire::read_frame<wire::Ask>(bytes, frame.size));
    return answer_ask(spank, ask.names.get());
  }
  if (kind == wire::Kind::variable) {
    CIB_TRY(const auto variable, wire::read_frame<wire::Variable>(bytes, frame.size));
    const std::string name = variable.name.get();
    std::string value = variable.value.get(), there;
    if (name == search_path && get_variable(spank, name, there) && !there.empty()) value += ':' + there;
    if (spank_setenv(spank, name.c_str(), value.c_str(), 1) != ESPANK_SUCCESS)
      return error(Errc::kernel, "set " + name + " in the task's environment");
    set_by_us.push_back(name);
    return {};
  }
  if (kind == wire::Kind::line) {
    CIB_TRY(const auto line, wire::read_frame<wire::Line>(bytes, frame.size));
    say("container-ib: " + line.text.get());
    return {};
  }
  if (kind == wire::Kind::grant) {
    CIB_TRY(const auto grant, wire::read_frame<wire::Grant>(bytes, frame.size));
    // Slurm applies the limit that it propagated from the submit host after this hook (set_user_limits in
    // task.c).
    if (grant.memlock_raised != 0) (void)spank_unsetenv(spank, "SLURM_RLIMIT_MEMLOCK");
    return {};
  }
  if (kind == wire::Kind::decline) {
    CIB_TRY(const auto decline, wire::read_frame<wire::Decline>(bytes, frame.size));
    declined = decline.text.get();
    return {};
  }
  CIB_TRY(const auto refuse, wire::read_frame<wire::Refuse>(bytes, frame.size));
  return error(Errc::denied, refuse.text.get());
}

// What the task has is in its environment now; engines that it starts shall hand it on.
Status tell_engines(spank_t spank) {
  char** job = nullptr;
  if (spank_get_item(spank, S_JOB_ENV, &job) != ESPANK_SUCCESS || job == nullptr) return {};
  std::vector<std::string_view> environment;
  for (; *job != nullptr; ++job) environment.emplace_back(*job);
  for (const EnvironmentChange& change :
       apptainer_environment(engines_of(command_words(spank)), environment, set_by_us))
    if (spank_setenv(spank, change.name.c_str(), change.value.c_str(), 1) != ESPANK_SUCCESS)
      return error(Errc::kernel, "set " + change.name + " in the task's environment");
  return {};
}

Status await_answer(spank_t spank) {
  for (bool complete = false; !complete;) {
    auto frame = receive_frame(channel.get(), attach_timeout_ms);
    if (!frame) return std::move(frame).error().in("wait for the agent");
    if (frame->size == 0) return error(Errc::peer_gone, "closed");
    CIB_CHECK(take_over(spank, *frame, complete));
  }
  return {};
}

}  // namespace

int enter_task(spank_t spank, SlurmstepdHalf& step) {
  int task = -1;
  (void)spank_get_item(spank, S_TASK_ID, &task);
  task_id = task < 0 ? 0U : static_cast<unsigned>(task);
  channel = step.become_task(task_id);
  const std::string container = container_option(spank);
  // Told in task_init, unless an image would be unpacked before that.
  if (!step.error().empty()) return container.empty() ? 0 : give_up(step, step.error());
  auto status = make_mount_namespace(container);
  if (status.ok() && (step.network_may_be_private() || !container.empty())) status = enter_network();
  if (status.ok()) status = report_variables(spank, false);
  if (status.ok()) keep_users_environment(spank);
  if (status.ok()) return 0;
  channel.reset();
  return give_up(step, status.error());
}

int attach_task(spank_t spank, SlurmstepdHalf& step) {
  int rc = 0;
  if (!step.error().empty()) {
    rc = give_up(step, step.error());
  } else if (channel) {
    auto status = report_ready(spank);
    if (status.ok()) status = await_answer(spank);
    if (status.ok() && !declined) status = tell_engines(spank);
    if (!status.ok()) rc = give_up(step, status.error());
  }
  channel.reset();
  if (rc == 0 && declined && !declined->empty())
    say("container-ib: going on without InfiniBand: " + *declined +
        (step.by_default() ? "; nobody but this site's default asks for it: tell your administrator" : ""));
  return rc;
}

}  // namespace cib
