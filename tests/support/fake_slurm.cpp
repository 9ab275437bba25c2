#include "support/fake_slurm.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>

#include "adapters/linux/process.hpp"
#include "spank/spank_abi.hpp"
#include "support/signal_process.hpp"

namespace cib::test {
namespace {

constexpr unsigned max_tasks = 128;
constexpr auto limit = std::chrono::seconds(20);

// Shared between the test, the fake slurmstepd and its tasks.
struct Board {
  pid_t agent;
  std::array<pid_t, max_tasks> task;
  std::array<bool, max_tasks> hook_failed;
  std::array<char, 256> help;
  bool stepd_done;
};

// The process-wide state that Slurm's spank_* functions answer from.
struct {
  spank_context_t context = S_CTX_REMOTE;
  std::uint32_t step = 0, tasks = 0;
  int task_id = -1;
  pid_t task_pid = -1;
  spank_option* option = nullptr;
  std::map<std::string, std::string> environment;
} slurm;

using Hook = int (*)(spank_t, int, char**);

// Whether a process has that name, or one that begins so, and has not ended.
bool is_named(pid_t pid, const std::string& name) {
  return stat_of(pid).find(") Z ") == std::string::npos && name_of(pid).starts_with(name);
}

bool is_own_agent(pid_t pid) { return is_own_child(pid) && is_named(pid, "container-ib-ag"); }

// The agent that this slurmstepd has started. It is a child of init, or of who asked to be that; its own
// children (hwloc works in one) have its name too.
pid_t find_agent() {
  pid_t agent = -1;
  for (const pid_t pid : all_processes())
    if (is_own_agent(pid)) agent = pid;
  return agent;
}

// A handler that nothing is started anew after; 0: no more of them.
void interrupt_each_us(suseconds_t period) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  (void)::sigaction(SIGALRM, &action, nullptr);
  const itimerval timer{.it_interval = {0, period}, .it_value = {0, period}};
  (void)::setitimer(ITIMER_REAL, &timer, nullptr);
}

class Stepd {
 public:
  Stepd(const StepPlan& plan, Board* board) : plan_(plan), board_(board) {}

  [[noreturn]] void run() {
    (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);  // so that the agent can be told from those of other tests
    slurm = {};
    slurm.step = plan_.step;
    slurm.tasks = plan_.tasks;
    slurm.environment = plan_.environment;
    (void)::unsetenv("SLURMD_NODENAME");
    if (!plan_.node_name.empty()) (void)::setenv("SLURMD_NODENAME", plan_.node_name.c_str(), 1);
    void* plugin = ::dlopen(plan_.plugin.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (plugin == nullptr) {
      std::fprintf(stderr, "dlopen: %s\n", ::dlerror());
      ::_exit(3);
    }
    plugin_ = plugin;
    for (const std::string& arg : plan_.args) argv_.push_back(const_cast<char*>(arg.c_str()));
    argv_.push_back(nullptr);

    (void)call("slurm_spank_init");
    if (slurm.option != nullptr)
      std::snprintf(board_->help.data(), board_->help.size(), "--%s=%s %s", slurm.option->name,
                    slurm.option->arginfo, slurm.option->usage);
    if (plan_.option && slurm.option != nullptr) (void)slurm.option->cb(0, plan_.option->c_str(), 1);
    if (plan_.interrupted) interrupt_each_us(100);
    (void)call("slurm_spank_init_post_opt");
    if (plan_.interrupted) interrupt_each_us(0);
    if (plan_.option) board_->agent = find_agent();
    reach(Point::step_prepared, 0);
    fork_tasks();
    for (unsigned id = 0; id < plan_.tasks; ++id) call_for_task("slurm_spank_task_post_fork", id);
    reach(Point::tasks_forked, 0);
    for (const int release : release_) ::close(release);
    wait_for_exec();
    reach(Point::tasks_run, 0);
    for (unsigned id = 0; id < plan_.tasks; ++id) {
      ::waitpid(board_->task[id], nullptr, 0);
      call_for_task("slurm_spank_task_exit", id);
    }
    slurm.task_id = -1;
    (void)call("slurm_spank_exit");
    ::dlclose(plugin_);
    board_->stepd_done = true;
    ::_exit(0);
  }

 private:
  // Once for each line of plugstack.conf; the failure of a required line is the last. A positive number is
  // success up to Slurm 24.11 and failure from 25.05 on, so the plugin may not return one.
  int call(const char* hook) {
    const auto function = reinterpret_cast<Hook>(::dlsym(plugin_, hook));
    for (unsigned line = 0; function != nullptr && line < plan_.listings; ++line) {
      const int returned = function(nullptr, static_cast<int>(argv_.size()) - 1, argv_.data());
      if (returned > 0) ::dprintf(STDERR_FILENO, "%s: %s\n", positive_return, hook);
      if (returned < 0) return -1;
    }
    return 0;
  }

  void call_for_task(const char* hook, unsigned id) {
    slurm.task_id = static_cast<int>(id);
    slurm.task_pid = board_->task[id];
    (void)call(hook);
  }

  void reach(Point point, unsigned task) {
    if (plan_.agent_stops == point) signal_agent(SIGSTOP);
    if (plan_.agent_goes_on == point) signal_agent(SIGCONT);
    if (plan_.victim == Victim::nobody || plan_.when != point) return;
    if (point <= Point::task_runs && task != plan_.victim_task) return;
    const auto is_here = [&](pid_t pid) { return pid == ::getpid() || is_own_child(pid); };
    const pid_t victim = plan_.victim == Victim::task ? board_->task[plan_.victim_task] : stepd_;
    if (plan_.victim == Victim::agent)
      signal_agent(SIGKILL);
    else if (!signal_process(victim, SIGKILL, is_here))
      tell_no_process(victim);
    const bool itself = plan_.victim == Victim::task
                            ? point <= Point::task_attached
                            : plan_.victim == Victim::stepd && point >= Point::step_prepared;
    if (itself) ::pause();  // for the signal on its way
  }

  // A death is over before the step goes on: who is still ending is alive to a reaper.
  void signal_agent(int signal) const {
    const int wait_ms = signal == SIGKILL ? 5000 : 0;
    if (!signal_process(board_->agent, signal, is_own_agent, wait_ms)) tell_no_process(board_->agent);
  }

  static void tell_no_process(pid_t pid) { ::dprintf(STDERR_FILENO, "%s: %d\n", nobody_to_signal, pid); }

  void fork_tasks() {
    for (unsigned id = 0; id < plan_.tasks; ++id) {
      int gate[2];
      if (::pipe2(gate, O_CLOEXEC) != 0) ::_exit(4);
      const pid_t pid = ::fork();
      if (pid == 0) be_task(id, gate[0], gate[1]);
      board_->task[id] = pid;
      ::close(gate[0]);
      release_.push_back(gate[1]);
    }
  }

  // exec_task() of Slurm's task.c, as far as hooks go.
  [[noreturn]] void be_task(unsigned id, int gate, int own_release) {
    while (board_->task[id] == 0) std::this_thread::yield();
    ::close(own_release);
    for (const int release : release_) ::close(release);  // of earlier tasks
    slurm.task_id = static_cast<int>(id);
    slurm.task_pid = -1;
    reach(Point::task_forked, id);
    if (call("slurm_spank_task_init_privileged") < 0) fail(id);
    reach(Point::task_has_namespace, id);
    char byte = 0;
    (void)!::read(gate, &byte, 1);
    reach(Point::task_released, id);
    if (call("slurm_spank_task_init") < 0) fail(id);
    reach(Point::task_attached, id);
    ::execl("/bin/sleep", "sleep", plan_.tasks_sleep ? "60" : "0", nullptr);
    ::_exit(127);
  }

  [[noreturn]] void fail(unsigned id) {
    board_->hook_failed[id] = true;
    ::_exit(1);
  }

  void wait_for_exec() {
    const auto until = std::chrono::steady_clock::now() + limit;
    for (unsigned id = 0; id < plan_.tasks; ++id) {
      while (std::chrono::steady_clock::now() < until && is_named(board_->task[id], "abi_"))
        std::this_thread::yield();
      if (plan_.when == Point::task_runs) reach(Point::task_runs, id);
    }
  }

  const StepPlan& plan_;
  Board* board_;
  pid_t stepd_ = ::getpid();
  void* plugin_ = nullptr;
  std::vector<char*> argv_;
  std::vector<int> release_;
};

std::string read_all(int fd, pid_t stepd) {
  std::string text;
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 100) > 0) {
      std::array<char, 4096> buffer{};
      const ssize_t n = ::read(fd, buffer.data(), buffer.size());
      if (n <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    if (std::chrono::steady_clock::now() > until) {
      signal_process(stepd, SIGKILL);
      return text + "\nfake slurmstepd did not end in time\n";
    }
  }
}

}  // namespace

StepOutcome run_step(const StepPlan& plan) {
  auto* board = static_cast<Board*>(
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  *board = Board{.agent = -1, .task = {}, .hook_failed = {}, .help = {}, .stepd_done = false};
  int output[2];
  if (::pipe2(output, O_CLOEXEC) != 0) std::abort();
  const pid_t stepd = ::fork();
  if (stepd == 0) {
    ::dup2(output[1], STDOUT_FILENO);
    ::dup2(output[1], STDERR_FILENO);
    Stepd(plan, board).run();
  }
  ::close(output[1]);
  StepOutcome outcome;
  outcome.output = read_all(output[0], stepd);
  ::close(output[0]);
  int status = 0;
  ::waitpid(stepd, &status, 0);
  outcome.stepd_was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  outcome.agent = board->agent;
  outcome.help = board->help.data();
  for (unsigned id = 0; id < plan.tasks; ++id) {
    outcome.tasks.push_back(board->task[id]);
    if (board->hook_failed[id]) outcome.hook_failures.push_back(static_cast<int>(id));
  }
  ::munmap(board, sizeof(Board));
  return outcome;
}

}  // namespace cib::test

// What the plugin resolves against the process that loads it.
extern "C" {

using cib::test::slurm;

CIB_EXPORT spank_context_t spank_context(void) { return slurm.context; }

CIB_EXPORT int spank_remote(spank_t) { return slurm.context == S_CTX_REMOTE ? 1 : 0; }

CIB_EXPORT spank_err_t spank_get_item(spank_t, spank_item_t item, ...) {
  va_list args;
  va_start(args, item);
  spank_err_t rc = static_cast<spank_err_t>(ESPANK_SUCCESS);
  switch (item) {
    case S_JOB_ID:
      *va_arg(args, std::uint32_t*) = 17;
      break;
    case S_JOB_STEPID:
      *va_arg(args, std::uint32_t*) = slurm.step;
      break;
    case S_JOB_UID:
      *va_arg(args, uid_t*) = 1000;
      break;
    case S_JOB_GID:
      *va_arg(args, gid_t*) = 1000;
      break;
    case S_JOB_NODEID:
      *va_arg(args, std::uint32_t*) = 1;
      break;
    case S_JOB_NNODES:
      *va_arg(args, std::uint32_t*) = 2;
      break;
    case S_JOB_LOCAL_TASK_COUNT:
      *va_arg(args, std::uint32_t*) = slurm.tasks;
      break;
    case S_TASK_ID:
      *va_arg(args, int*) = slurm.task_id;
      break;
    case S_TASK_GLOBAL_ID:
      *va_arg(args, std::uint32_t*) = slurm.tasks + static_cast<std::uint32_t>(slurm.task_id);
      break;
    case S_TASK_PID:
      *va_arg(args, pid_t*) = slurm.task_pid;
      break;
    default:
      rc = static_cast<spank_err_t>(ESPANK_BAD_ARG);
  }
  va_end(args);
  return rc;
}

CIB_EXPORT spank_err_t spank_getenv(spank_t, const char* name, char* buffer, int size) {
  const auto it = slurm.environment.find(name);
  if (it == slurm.environment.end()) return static_cast<spank_err_t>(ESPANK_ENV_NOEXIST);
  std::snprintf(buffer, static_cast<std::size_t>(size), "%s", it->second.c_str());
  return static_cast<spank_err_t>(ESPANK_SUCCESS);
}

CIB_EXPORT spank_err_t spank_setenv(spank_t, const char* name, const char* value, int overwrite) {
  if (overwrite == 0 && slurm.environment.contains(name)) return static_cast<spank_err_t>(ESPANK_ENV_EXISTS);
  slurm.environment[name] = value;
  return static_cast<spank_err_t>(ESPANK_SUCCESS);
}

CIB_EXPORT spank_err_t spank_option_getopt(spank_t, spank_option*, char**) {
  return static_cast<spank_err_t>(ESPANK_ERROR);
}

CIB_EXPORT spank_err_t spank_unsetenv(spank_t, const char* name) {
  slurm.environment.erase(name);
  return static_cast<spank_err_t>(ESPANK_SUCCESS);
}

CIB_EXPORT spank_err_t spank_option_register(spank_t, spank_option* option) {
  slurm.option = option;
  return static_cast<spank_err_t>(ESPANK_SUCCESS);
}

__attribute__((format(printf, 1, 2))) CIB_EXPORT void slurm_error(const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::string text = "error: ";
  std::array<char, 2048> line{};
  std::vsnprintf(line.data(), line.size(), format, args);
  va_end(args);
  text += line.data();
  text += '\n';
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

__attribute__((format(printf, 1, 2))) CIB_EXPORT void slurm_spank_log(const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::array<char, 2048> line{};
  std::vsnprintf(line.data(), line.size() - 1, format, args);
  va_end(args);
  std::strcat(line.data(), "\n");
  (void)!::write(STDERR_FILENO, line.data(), std::strlen(line.data()));
}

}  // extern "C"
