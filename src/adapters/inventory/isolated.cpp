#include "isolated.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "container_ib/text.hpp"
#include "linux/bounded_read.hpp"

namespace cib {

namespace {

constexpr int timeout_ms = 20'000;  // of the slowest load ever reported
constexpr std::size_t size_limit = 64 << 20;

// The answer is one byte 'v' and the text, or 'e', the code and errno, and the error's.
std::string answer_text(const Result<std::string>& result) {
  if (result) return "v" + *result;
  const Error& error = result.error();
  return "e" + std::to_string(static_cast<int>(error.code)) + " " + std::to_string(error.sys_errno) + " " +
         error.what;
}

Result<std::string> parse_answer(std::string_view text) {
  if (text.starts_with('v')) return std::string(text.substr(1));
  const auto words = split(text, ' ');
  const auto bad = [] { return error(Errc::bug, "no answer from the process that reads topologies"); };
  if (!text.starts_with('e') || words.size() < 3) return bad();
  const int code = whole_number<int>(words[0].substr(1)).value_or(-1);
  const int number = whole_number<int>(words[1]).value_or(-1);
  if (code < 0 || code > static_cast<int>(Errc::bug) || number < 0) return bad();
  return error(static_cast<Errc>(code), std::string(text.substr(words[0].size() + words[1].size() + 2)),
               number);
}

[[noreturn]] void child(int out, const std::function<Result<std::string>()>& read) {
  // It holds copies of the caller's sockets, whose peers must see at once when the caller is killed.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);  // XML libraries complain to stderr
  if (null >= 0) ::dup2(null, STDERR_FILENO);
  const std::string text = answer_text(read());
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(out, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  ::_exit(0);
}

}  // namespace

Result<std::string> run_isolated_for_text(const std::string& what,
                                          const std::function<Result<std::string>()>& read) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return error(Errc::kernel, "pipe", errno);
  const pid_t pid = ::fork();
  if (pid < 0) {
    const int number = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    return error(Errc::kernel, "fork", number);
  }
  if (pid == 0) child(ends[1], read);
  ::close(ends[1]);
  const auto [text, in_time] = read_pipe(ends[0], size_limit, timeout_ms);
  ::close(ends[0]);
  if (!in_time) ::kill(pid, SIGKILL);
  int status = 0;
  pid_t waited = 0;
  do waited = ::waitpid(pid, &status, 0);
  while (waited < 0 && errno == EINTR);
  if (!in_time) return error(Errc::timed_out, what + ": not read within 20 seconds");
  // Without a status (SIGCHLD is ignored) the answer itself must do.
  if (waited == pid && WIFSIGNALED(status))
    return error(Errc::not_found,
                 what + ": hwloc ended by signal " + std::to_string(WTERMSIG(status)) + " while reading it");
  return parse_answer(text);
}

Result<Inventory> run_isolated(const std::string& what, const std::function<Result<Inventory>()>& read) {
  CIB_TRY(const std::string text, run_isolated_for_text(what, [&]() -> Result<std::string> {
            CIB_TRY(const Inventory inventory, read());
            return encode_inventory(inventory);
          }));
  return decode_inventory(text);
}

}  // namespace cib
