#include "agent/agent.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>

#include "adapters/linux/find_process.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/linux/user_namespace.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "agent/log.hpp"
#include "agent/reap.hpp"
#include "agent/system_calls.hpp"
#include "app/reap.hpp"

namespace cib {

namespace {

constexpr int start_timeout_ms = 10'000;  // slurmstepd sends it right after exec
constexpr int answer_timeout_ms = 1'000;  // slurmstepd is waiting for it
constexpr int frames_a_turn = 256;        // then others get their turn
constexpr int dying_ms = 1'000;           // between slurmstepd's last close() and its end
constexpr int vf_poll_ms = 250;           // how soon a VF that another step gives back is noticed
// Before each look into the tasks' containers, the first one after the answers: 1, 5, 30 and 300 s. An engine
// takes a second to start, an image that has to be fetched takes minutes.
constexpr int look_pauses_ms[] = {1'000, 4'000, 25'000, 270'000};
// Looks at the ports come twice as late each time, 1, 3, 7, 15 s after the answers, and no later than this:
// what lasts longer than the step had run before is seen. Each costs the kernel one list.
constexpr int longest_ports_pause_ms = 300'000;

std::uint64_t tag(std::uint32_t source, unsigned task) { return std::uint64_t{source} << 32 | task; }

bool is_closed(int socket) {
  pollfd p{.fd = socket, .events = POLLIN, .revents = 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

template <class M>
Result<M> read(const Frame& frame) {
  return wire::read_frame<M>(frame.bytes.data(), frame.size);
}

}  // namespace

Status Agent::run() {
  CIB_CHECK(begin());
  CIB_CHECK(allow_only_needed_calls());  // before the first byte that a task sent is read
  while (!over_) CIB_CHECK(turn(-1));
  return {};
}

Status Agent::turn(int at_most_ms) {
  std::array<epoll_event, 32> events{};
  const int count =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms(at_most_ms));
  if (count < 0 && errno != EINTR) return error(Errc::kernel, "epoll_wait", errno);
  if (deadline_ && deadline_->passed() && step_->awaits_deadline()) step_->deadline_passed();
  if (step_->waits_for_vfs()) wait_for_vfs();
  if (step_->keeps_tasks_waiting()) step_->ask_for_patience();
  for (int i = 0; i < count && !over_; ++i) {
    const auto source = static_cast<Source>(events[static_cast<std::size_t>(i)].data.u64 >> 32);
    const auto task = static_cast<unsigned>(events[static_cast<std::size_t>(i)].data.u64 & 0xffffffffU);
    if (source == Source::lifeline) (void)drain_lifeline();
    if (source == Source::stepd) on_stepd_ended();
    if (source == Source::channel) drain_channel(task);
    if (source == Source::process) on_process(task);
  }
  if (!over_ && step_->has_decided() && looks_ < std::size(look_pauses_ms)) look_inside();
  if (!over_ && step_->has_decided()) look_at_ports();
  for (const auto& kept = tasks_->never_closed(); unwatched_ < kept.size(); ++unwatched_)
    unwatch(kept[unwatched_].get());  // or it is ready for ever
  return {};
}

// The first frame says what the step is; everything else hangs on it.
Status Agent::begin() {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return error(Errc::kernel, "epoll_create1", errno);
  CIB_TRY(const Frame frame, receive_frame(lifeline_.get(), start_timeout_ms));
  CIB_TRY(const auto start, read<wire::Start>(frame));
  if (start.local_tasks == 0 || start.local_tasks > wire::max_local_tasks)
    return error(Errc::corrupt, "a step of " + std::to_string(start.local_tasks) + " tasks");

  StepFacts facts;
  facts.job = start.job;
  facts.step = start.step;
  facts.uid = start.uid;
  facts.local_tasks = start.local_tasks;
  facts.nodes = std::max(start.nodes, 1U);
  facts.node_id = start.node_id;
  facts.engine = start.engine != 0;
  facts.reads_folder = start.reads_folder != 0;
  facts.daemon_step = start.daemon_step != 0;
  facts.shell = start.shell != 0;
  facts.by_default = start.by_default != 0;
  if (auto host = check_hosts_user_namespace(); !host) facts.unfit = std::move(host).error();
  facts.began = Phases::Clock::time_point(std::chrono::nanoseconds(start.began_ns));
  facts.node_name = start.node.get();
  facts.option = start.option.get();
  facts.config_path = start.config.get();
  facts.owner.stepd = identity_of(start.stepd_pid);
  facts.owner.agent = identity_of(::getpid());
  CIB_TRY(facts.owner.boot, boot_id());
  facts.owner.pid_namespace = pid_namespace_here();
  facts.owner.since = std::to_string(std::time(nullptr));

  // While somebody has the other end, the number is slurmstepd's own; nobody but it and what it forks has. If
  // it has ended already, what it said before still names its tasks.
  UniqueFd stepd;
  if (auto opened = open_pidfd(start.stepd_pid); opened && !is_closed(lifeline_.get()))
    stepd = std::move(*opened);

  node_ = std::make_unique<LiveNode>(start.state_dir.get());
  kernel_ = std::make_unique<LiveKernel>(start.state_dir.get());
  // A job that was requeued has steps of the same numbers as before, of which something may be left.
  const std::string earlier = start.state_dir.get() + '/' + step_name(start.job, start.step);
  if (::access(earlier.c_str(), F_OK) == 0) {
    LiveStoredSteps stored(start.state_dir.get(), stepd.get());
    if (const auto reaped = reap(stored, *kernel_, std::to_string(start.job))) log_troubles(*reaped);
  }
  tasks_ = std::make_unique<StepTasks>(start.local_tasks, std::move(stepd));
  tasks_->belong_to({start.job, start.step});
  state_ = std::make_unique<LoggedState>(start.state_dir.get());
  conversations_.resize(start.local_tasks);
  step_ = std::make_unique<Step>(std::move(facts), *node_, *tasks_, *state_, *kernel_);
  CIB_CHECK(watch(lifeline_.get(), Source::lifeline, 0));
  if (tasks_->stepd() >= 0) CIB_CHECK(watch(tasks_->stepd(), Source::stepd, 0));
  step_->prepare();
  if (step_->needs_relay()) step_->relay_started(tasks_->start_relay());
  return {};
}

Status Agent::watch(int fd, Source source, unsigned task) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag(static_cast<std::uint32_t>(source), task);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return error(Errc::kernel, "epoll_ctl", errno);
  return {};
}

void Agent::wait_for_vfs() {
  if (!vf_deadline_) vf_deadline_.emplace(static_cast<int>(step_->wait_s()) * 1000);
  vf_deadline_->passed() ? step_->give_up_waiting() : step_->try_again();
}

void Agent::look_inside() {
  if (look_deadline_ && look_deadline_->passed()) {
    step_->look_inside();
    ++looks_;
    look_deadline_.reset();
  }
  if (!look_deadline_ && looks_ < std::size(look_pauses_ms)) look_deadline_.emplace(look_pauses_ms[looks_]);
}

void Agent::look_at_ports() {
  if (ports_deadline_ && !ports_deadline_->passed()) return;
  if (ports_deadline_) {
    step_->look_at_ports();
    ports_pause_ms_ = std::min(2 * ports_pause_ms_, longest_ports_pause_ms);
  }
  ports_deadline_.emplace(ports_pause_ms_);
}

int Agent::wait_ms(int at_most_ms) {
  if (step_->waits_for_vfs()) return vf_poll_ms;
  for (const auto* next : {&look_deadline_, &ports_deadline_}) {
    if (!*next) continue;
    const int left = (*next)->left_ms();
    at_most_ms = at_most_ms < 0 ? left : std::min(at_most_ms, left);
  }
  if (!step_->awaits_deadline()) return at_most_ms;
  if (!deadline_) deadline_.emplace(static_cast<int>(step_->rendezvous_timeout_s()) * 1000);
  const int left = std::min(deadline_->left_ms(), patience_ms);
  return at_most_ms < 0 ? left : std::min(left, at_most_ms);
}

void Agent::unwatch(int fd) { (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

// Whether there may be more.
bool Agent::drain_lifeline() {
  for (int i = 0; i < frames_a_turn; ++i) {
    if (over_ || lifeline_broken_) return false;
    auto frame = receive_frame(lifeline_.get(), 0, wire::max_channels);
    if (frame && frame->size != 0) {
      on_lifeline(*frame);
    } else if (frame) {
      on_broken_lifeline("closed");
    } else if (frame.error().code == Errc::timed_out) {
      return false;
    } else if (frame.error().code == Errc::corrupt) {  // it was read: the task that it was about is refused
      log_error("lifeline: " + frame.error().message());
    } else {
      on_broken_lifeline(frame.error().message());
    }
  }
  return true;
}

void Agent::on_lifeline(Frame& frame) {
  const auto kind = wire::kind_of(frame.bytes.data(), frame.size);
  if (!kind) {
    log_error("lifeline: " + kind.error().message());
  } else if (*kind == wire::Kind::channels) {
    on_channels(frame);
  } else if (*kind == wire::Kind::task_started) {
    on_task_started(frame);
  } else if (*kind == wire::Kind::task_exited) {
    notice_deaths();
    say_to_stepd(step_->report());
  } else if (*kind == wire::Kind::finish) {
    notice_deaths();
    const auto ending = step_->finish();
    for (const std::string& line : ending.for_administrator) log_error(line);
    say_to_stepd(ending.for_user);
    log_debug(step_->timing());
    over_ = true;
  }
}

// Whether slurmstepd lives is for its pidfd to say: while it does, its tasks are no orphans. One that is
// being killed closes its files a moment before it has ended.
void Agent::on_broken_lifeline(const std::string& why) {
  lifeline_broken_ = true;
  unwatch(lifeline_.get());
  if (tasks_->stepd() < 0 || readable_within(tasks_->stepd(), dying_ms))
    abandon();
  else
    log_error("lifeline: " + why + ", and slurmstepd lives; what the step holds is given back when it ends");
}

// What it said last counts: perhaps that the step is over.
void Agent::on_stepd_ended() {
  unwatch(tasks_->stepd());
  while (drain_lifeline()) {
  }
  if (!over_) abandon();
}

void Agent::abandon() {
  for (const std::string& line : step_->abandoned()) log_error(line);
  over_ = true;
}

void Agent::on_channels(Frame& frame) {
  const auto message = read<wire::Channels>(frame);
  if (!message || message->count != frame.fds.size() || message->first > conversations_.size() ||
      message->count > conversations_.size() - message->first) {
    log_error("lifeline: channels that do not fit the step");
    return;
  }
  for (std::uint32_t i = 0; i < message->count; ++i) {
    const unsigned task = message->first + i;
    if (auto status = watch(frame.fds[i].get(), Source::channel, task); !status)
      log_error(status.error().message());
    tasks_->set_channel(task, std::move(frame.fds[i]));
  }
}

void Agent::on_task_started(Frame& frame) {
  const auto message = read<wire::TaskStarted>(frame);
  if (!message || message->task >= conversations_.size() || message->words > wire::max_mask_words ||
      frame.fds.size() != 1 || tasks_->pidfd(message->task) >= 0) {
    log_error("lifeline: a task that does not fit the step");
    return;
  }
  const unsigned task = message->task;
  auto process = tasks_->set_process(task, message->pid, std::move(frame.fds.front()));
  if (!process) {
    log_error("lifeline: task " + std::to_string(task) + ": " + process.error().message());
    step_->task_died(task);
    return;
  }
  step_->task_started(task, {.rank = message->rank,
                             .mask = CpuSet({message->mask.begin(), message->mask.begin() + message->words}),
                             .bound = message->inherited == 0,
                             .process = std::move(process).value()});
  if (auto status = watch(tasks_->pidfd(task), Source::process, task); !status)
    log_error(status.error().message());
}

void Agent::on_process(unsigned task) {
  unwatch(tasks_->pidfd(task));
  tasks_->close_channel(task);  // a child of the task may hold the other end, and is not the task
  step_->task_died(task);
}

// slurmstepd says that a task has exited because it has waited for it, so its pidfd is readable by now; the
// report must not depend on which of the two descriptors epoll shows first.
void Agent::notice_deaths() {
  for (unsigned task = 0; task < conversations_.size(); ++task)
    if (tasks_->pidfd(task) < 0 || has_ended(tasks_->pidfd(task))) step_->task_died(task);
}

void Agent::drain_channel(unsigned task) {
  for (int i = 0; i < frames_a_turn; ++i) {
    const int channel = tasks_->channel(task);
    if (channel < 0) return;
    auto frame = receive_frame(channel, 0);
    if (!frame && frame.error().code == Errc::denied && conversations_[task].may_offer() &&
        next_kind(channel) == wire::Kind::namespaces)
      frame = receive_frame(channel, 0, 1);
    if (!frame && frame.error().code == Errc::timed_out) return;
    if (frame && frame->size == 0) {  // it has exec'ed, or died
      tasks_->close_channel(task);
      step_->task_left(task);
      return;
    }
    const Status status = frame ? on_task_frame(task, *frame) : Status(frame.error());
    if (frame)
      for (UniqueFd& unwanted : frame->fds)
        if (unwanted) tasks_->keep_open(std::move(unwanted));
    if (!status) {
      log_error("task " + std::to_string(task) + ": " + status.error().message());
      step_->task_misbehaved(task, status.error());
      tasks_->close_channel(task);
      return;
    }
  }
}

Status Agent::on_task_frame(unsigned task, Frame& frame) {
  TaskConversation& conversation = conversations_[task];
  CIB_TRY(const auto heard, conversation.hear(frame.bytes.data(), frame.size, frame.fds.size()));
  if (heard == TaskConversation::Heard::variable) return {};
  // slurmstepd told of the task before or just now; its pid is needed to check what the task claims.
  (void)drain_lifeline();
  if (over_) return {};
  if (heard == TaskConversation::Heard::mount_namespace) {
    CIB_CHECK(tasks_->offer_mount_namespace(task, std::move(frame.fds.front())));
    step_->task_has_namespace(task, conversation.container_option());  // answers
    return {};
  }
  if (const auto names = step_->asks_for(); conversation.ask(names)) return tasks_->ask(task, names);
  TaskFacts facts = conversation.facts();
  CIB_TRY(facts.container, tasks_->settle_mount_namespace(task));
  step_->task_ready(task, std::move(facts));
  return {};
}

void Agent::say_to_stepd(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    wire::Line message;
    message.text.set_cut(line);
    if (!send_frame(lifeline_.get(), message, answer_timeout_ms).ok()) return;
  }
  (void)send_frame(lifeline_.get(), wire::End{}, answer_timeout_ms);
}

}  // namespace cib
