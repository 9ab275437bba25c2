#include "spank/slurmstepd.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "adapters/linux/process.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "container_ib/engines.hpp"
#include "container_ib/journal.hpp"
#include "container_ib/request.hpp"
#include "container_ib/text.hpp"
#include "spank/agent_process.hpp"
#include "spank/job.hpp"
#include "spank/option.hpp"
#include "spank/say.hpp"

namespace cib {

namespace {

constexpr int send_timeout_ms = 2'000;
constexpr int answer_timeout_ms = 3'000;

// slurm.h: SLURM_INTERACTIVE_STEP, SLURM_BATCH_SCRIPT, SLURM_EXTERN_CONT.
constexpr std::uint32_t interactive_step = 0xfffffffaU, batch_step = 0xfffffffbU, extern_step = 0xfffffffcU;

bool is_shell(std::uint32_t step) { return step == batch_step || step == interactive_step; }

std::uint32_t item(spank_t spank, spank_item which, std::uint32_t otherwise) {
  std::uint32_t value = 0;
  return spank_get_item(spank, which, &value) == ESPANK_SUCCESS ? value : otherwise;
}

// mpirun inside an allocation starts one of these a node, by srun with our option inherited.
constexpr std::string_view mpi_daemons[] = {"orted", "prted", "hydra_pmi_proxy", "hydra_bstrap_proxy"};

bool runs_mpi_daemon(const std::vector<std::string_view>& command) {
  if (command.empty()) return false;
  const std::string_view name = last_component(command.front());
  return std::find(std::begin(mpi_daemons), std::end(mpi_daemons), name) != std::end(mpi_daemons);
}

// Slurm's name of this node, which need not be that of its host (NodeName=hpc-1 NodeHostname=n0). slurmstepd
// has it in its own environment before the first hook (slurmstepd.c sets SLURMD_NODENAME, 22.05 to 26.05);
// spank_getenv() reads the job's, which a user writes. Without it, as slurmd itself: the short host name.
std::string node_name() {
  if (const char* given = ::getenv("SLURMD_NODENAME"); given != nullptr && *given != '\0') return given;
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  const std::string_view full = name.data();
  return std::string(full.substr(0, full.find('.')));
}

void say_of_node(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) say("container-ib: " + node_name() + ": " + line);
}

// Of the line in plugstack.conf, for steps whose user says nothing: it must do no harm to those that are no
// MPI jobs at all.
Result<Request> parse_default(const std::string& text) {
  const auto wrong = [&](const std::string& why) {
    return error(Errc::bad_config, "plugstack.conf: default=" + printable(text) + ": " + why);
  };
  const auto request = parse_request(text);
  if (!request) return wrong(request.error().message());
  if (const auto status = check_mode(request->mode); !status) return wrong(status.error().message());
  if (request->mode != Mode::auto_ && may_be_private(request->mode))
    return wrong("mode " + std::string(mode_name(request->mode)) +
                 " takes the node's network away; allowed: auto, verbs and none");
  if (request->require.value_or(false)) return wrong("require=yes; who has not asked cannot be refused");
  return *request;
}

// The allowed CPUs of a process, for any size of machine. Returns the number of words that count.
Result<std::uint32_t> read_mask(pid_t pid, std::array<std::uint64_t, wire::max_mask_words>& mask) {
  if (::sched_getaffinity(pid, sizeof mask, reinterpret_cast<cpu_set_t*>(mask.data())) != 0)
    return error(Errc::kernel, "read the CPU mask of pid " + std::to_string(pid), errno);
  std::uint32_t words = wire::max_mask_words;
  while (words > 0 && mask[words - 1] == 0) --words;
  return words;
}

// Whether the task may run where slurmstepd may: without task plugins Slurm binds nothing.
bool has_own_mask(const wire::TaskStarted& task) {
  std::array<std::uint64_t, wire::max_mask_words> own{};
  return read_mask(0, own).ok() && own == task.mask;
}

}  // namespace

std::unique_ptr<SlurmstepdHalf> SlurmstepdHalf::begin(spank_t spank, const PlugstackArgs& args) {
  const std::uint32_t step = item(spank, S_JOB_STEPID, 0);
  if (step == extern_step) return nullptr;
  const auto asked = asked_option(spank);
  if (!asked && (!args.by_default || is_shell(step))) return nullptr;
  const std::string& text = asked ? *asked : *args.by_default;
  const auto request = asked ? parse_request(text) : parse_default(text);
  const std::string option = asked || !request || request->require ? text : text + ",require=no";
  if (request && request->mode == Mode::none) return nullptr;
  if (is_shell(step) && !(request && request->batch.value_or(false))) return nullptr;

  std::unique_ptr<SlurmstepdHalf> side(new SlurmstepdHalf(args));
  side->by_default_ = !asked;
  side->node_id_ = item(spank, S_JOB_NODEID, 0);
  side->network_may_be_private_ = asked && request && may_be_private(request->mode);
  side->require_ = asked && (!request || request->require.value_or(request->mode != Mode::auto_));
  const auto started = [&]() -> Status {
    if (!args.error.empty()) return cib::error(Errc::bad_config, args.error);
    if (!request) return request.error();
    return side->start(spank, option);
  }();
  if (!started) {
    side->error_ = started.error().message();
    side->lifeline_.reset();
    side->task_ends_.clear();
  }
  return side;
}

Status SlurmstepdHalf::start(spank_t spank, const std::string& option) {
  job_ = item(spank, S_JOB_ID, 0);
  step_ = item(spank, S_JOB_STEPID, 0);
  wire::Start start;
  start.job = job_;
  start.step = step_;
  start.uid = item(spank, S_JOB_UID, ~0U);
  start.local_tasks = item(spank, S_JOB_LOCAL_TASK_COUNT, 1);
  start.nodes = item(spank, S_JOB_NNODES, 1);
  start.node_id = node_id_;
  start.by_default = by_default_ ? 1 : 0;
  start.stepd_pid = ::getpid();
  start.shell = is_shell(start.step) ? 1 : 0;
  start.began_ns = std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  const auto command = command_words(spank);
  start.daemon_step = runs_mpi_daemon(command) ? 1 : 0;
  const EnginesOfCommand engines = engines_of(command);
  const bool container = variable_is_set(spank, "SLURM_CONTAINER");  // starts a runtime for each task
  start.engine = engines.any || container ? 1 : 0;
  start.reads_folder = engines.reads_folder ? 1 : 0;
  if (start.local_tasks == 0 || start.local_tasks > wire::max_local_tasks)
    return cib::error(Errc::unsupported,
                      "container-ib: " + std::to_string(start.local_tasks) + " tasks on one node");
  if (!start.node.set(node_name()) || !start.option.set(option) || !start.config.set(args_.config) ||
      !start.state_dir.set(args_.state))
    return cib::error(Errc::bad_request, "--container-ib: longer than 1023 characters");

  CIB_TRY(lifeline_, start_agent(args_));
  // The agent reads the node meanwhile, and this process must not wait for it once for each task.
  reserve_room(lifeline_.get(), start.local_tasks * sizeof(wire::TaskStarted));
  CIB_CHECK(send_frame(lifeline_.get(), start, send_timeout_ms));
  std::vector<UniqueFd> agent_ends;
  for (std::uint32_t task = 0; task < start.local_tasks; ++task) {
    CIB_TRY(auto ends, make_channel());
    task_ends_.push_back(std::move(ends.first));
    agent_ends.push_back(std::move(ends.second));
  }
  return send_channels(agent_ends);  // the agent has its own copies then, and ours close here
}

Status SlurmstepdHalf::send_channels(const std::vector<UniqueFd>& agent_ends) {
  std::vector<int> fds;
  for (const UniqueFd& end : agent_ends) fds.push_back(end.get());
  for (std::size_t first = 0; first < fds.size(); first += wire::max_channels) {
    wire::Channels message;
    message.first = static_cast<std::uint32_t>(first);
    message.count = static_cast<std::uint32_t>(std::min(wire::max_channels, fds.size() - first));
    CIB_CHECK(
        send_frame(lifeline_.get(), message, send_timeout_ms, std::span(fds).subspan(first, message.count)));
  }
  return {};
}

void SlurmstepdHalf::task_started(spank_t spank) {
  int task = -1;
  pid_t pid = -1;
  if (!lifeline_ || spank_get_item(spank, S_TASK_ID, &task) != ESPANK_SUCCESS || task < 0 ||
      spank_get_item(spank, S_TASK_PID, &pid) != ESPANK_SUCCESS)
    return;
  const std::uint32_t rank = item(spank, S_TASK_GLOBAL_ID, static_cast<std::uint32_t>(task));
  const auto tell = [&]() -> Status {
    wire::TaskStarted message;
    message.task = static_cast<std::uint32_t>(task);
    message.rank = rank;
    message.pid = pid;
    CIB_TRY(const UniqueFd pidfd, open_pidfd(pid));
    CIB_TRY(message.words, read_mask(pid, message.mask));
    message.inherited = has_own_mask(message) ? 1 : 0;
    const int fd = pidfd.get();
    return tell_agent(message, std::span(&fd, 1));
  };
  // Without this message the agent refuses the task in task_init, where the user sees why.
  if (auto status = tell(); !status)
    complain("container-ib: rank " + std::to_string(rank) + ": " + status.error().message());
  const auto index = static_cast<std::size_t>(task);
  if (index < task_ends_.size()) task_ends_[index].reset();
}

void SlurmstepdHalf::task_exited(spank_t spank) {
  int task = -1;
  if (!lifeline_ || spank_get_item(spank, S_TASK_ID, &task) != ESPANK_SUCCESS || task < 0) return;
  wire::TaskExited message;
  message.task = static_cast<std::uint32_t>(task);
  const auto told = tell_agent(message);
  if (told.ok()) return print_answer();
  // Only now does the user still see what is said (srun has closed his terminal when `exit` is called).
  if (told.error().code != Errc::peer_gone || std::exchange(death_told_, true)) return;
  say_of_node(death_of_agent(step_name(job_, step_), args_));
}

void SlurmstepdHalf::end() {
  if (!lifeline_) return;
  const auto told = tell_agent(wire::Finish{});
  if (told.ok()) print_answer();
  lifeline_.reset();
  if (told.ok()) return;
  say_of_node(reap_own_step(job_, args_));  // it was killed: what it wrote down is given back here
}

template <class M>
Status SlurmstepdHalf::tell_agent(const M& message, std::span<const int> fds) {
  auto status = send_frame(lifeline_.get(), message, silent_ ? 0 : send_timeout_ms, fds);
  silent_ = silent_ || (!status.ok() && status.error().code == Errc::timed_out);
  return status;
}

// Lines for the user until the agent says that this is all.
void SlurmstepdHalf::print_answer() {
  for (;;) {
    const auto frame = receive_frame(lifeline_.get(), silent_ ? 0 : answer_timeout_ms);
    if (!frame) silent_ = true;
    if (!frame || frame->size == 0) return;
    const auto line = wire::read_frame<wire::Line>(frame->bytes.data(), frame->size);
    if (!line) return;
    say("container-ib: " + line->text.get());
  }
}

UniqueFd SlurmstepdHalf::become_task(unsigned task) {
  lifeline_.reset();
  UniqueFd own = task < task_ends_.size() ? std::move(task_ends_[task]) : UniqueFd();
  task_ends_.clear();
  task_ends_.resize(task + 1);
  task_ends_[task] = UniqueFd();
  return own;
}

}  // namespace cib
