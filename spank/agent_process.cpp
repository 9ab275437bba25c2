#include "spank/agent_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string_view>
#include <utility>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/deadline.hpp"
#include "adapters/linux/exec.hpp"
#include "adapters/linux/names_in.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "container_ib/text.hpp"
#include "spank/say.hpp"

namespace cib {

namespace {

constexpr int exec_timeout_ms = 5'000;
constexpr int reap_timeout_ms = 5'000;
constexpr std::size_t most_said = 16UL * 1024;

using Words = std::array<const char*, 6>;  // of a command line, with nullptr behind

// Forks twice, so that the agent is init's child and slurmstepd never has to wait for it. `inherited` is the
// lifeline, or a pipe whose end of file says that the process has ended.
Status exec_agent(const std::string& path, Words words, int inherited) {
  std::array<int, 2> report{};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) return error(Errc::kernel, "pipe", errno);
  UniqueFd reading(report[0]), writing(report[1]);
  const pid_t child = ::fork();
  if (child < 0) return error(Errc::kernel, "fork for the agent", errno);
  if (child == 0) {
    (void)::setsid();
    const pid_t agent = ::fork();
    if (agent == 0)
      exec_clean(path.c_str(), const_cast<char* const*>(words.data()), std::span(&inherited, 1),
                 writing.get());
    ::_exit(agent < 0 ? 1 : 0);
  }
  writing.reset();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!readable_within(reading.get(), exec_timeout_ms))
    return error(Errc::timed_out, "start " + path + ": not done within 5 s");
  int why = 0;
  ssize_t size = -1;
  do size = ::read(reading.get(), &why, sizeof why);
  while (size < 0 && errno == EINTR);
  if (size == sizeof why)
    return error(why == ENOENT ? Errc::bad_config : Errc::kernel,
                 "ask your administrator to repair the installation: start " + path, why);
  return {};
}

// One of the agent's other lives: returns what it says until it ends, or until then; 0: it is not waited for.
std::string run_agent(const PlugstackArgs& args, Words words, int wait_ms) {
  std::array<int, 2> life{};
  if (::pipe2(life.data(), O_CLOEXEC) != 0) return {};
  UniqueFd reading(life[0]), writing(life[1]);
  if (auto status = exec_agent(args.agent, words, writing.get()); !status) {
    complain("container-ib: " + std::string(words[1]) + ": " + status.error().message());
    return {};
  }
  writing.reset();
  return wait_ms > 0 ? read_pipe(reading.get(), most_said, wait_ms).text : std::string();
}

Words reap_words(const PlugstackArgs& args, const char* job = nullptr, const char* ended_stepd = nullptr) {
  return {args.agent.c_str(), "reap", args.state.c_str(), job, ended_stepd, nullptr};
}

std::vector<std::string> lines_of(const std::string& said) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(said, '\n'))
    if (!line.empty()) lines.emplace_back(line);
  return lines;
}

// Whether there is a step whose name begins so. Most jobs leave none, and a look takes a hundredth of the
// time that the agent takes to start.
bool may_have_left(const std::string& state, const std::string& begin) {
  const auto names = names_in(state);
  if (!names) return names.error().sys_errno != ENOENT;
  return std::any_of(names->begin(), names->end(),
                     [&](const std::string& name) { return name.starts_with(begin); });
}

}  // namespace

Result<UniqueFd> start_agent(const PlugstackArgs& args) {
  CIB_TRY(auto ends, make_channel());
  CIB_CHECK(exec_agent(args.agent, {args.agent.c_str(), "step", nullptr}, ends.second.get()));
  return std::move(ends.first);
}

void reap_in_background(const PlugstackArgs& args) { (void)run_agent(args, reap_words(args), 0); }

std::vector<std::string> reap_own_step(std::uint32_t job, const PlugstackArgs& args) {
  const std::string own_job = std::to_string(job), own_pid = std::to_string(::getpid());
  return lines_of(run_agent(args, reap_words(args, own_job.c_str(), own_pid.c_str()), reap_timeout_ms));
}

std::vector<std::string> death_of_agent(const std::string& step, const PlugstackArgs& args) {
  return lines_of(run_agent(args,
                            {args.agent.c_str(), "died", args.state.c_str(), step.c_str(), nullptr, nullptr},
                            reap_timeout_ms));
}

void reap_job(spank_t spank, const PlugstackArgs& args) {
  std::uint32_t job = 0;
  if (spank_get_item(spank, S_JOB_ID, &job) != ESPANK_SUCCESS) return;
  const std::string text = std::to_string(job);
  if (may_have_left(args.state, text + '.'))
    (void)run_agent(args, reap_words(args, text.c_str()), reap_timeout_ms);
}

}  // namespace cib
