#include "agent/relay_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "adapters/linux/deadline.hpp"
#include "adapters/linux/exec.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/linux/seqpacket.hpp"

namespace cib {

namespace {

constexpr int relay_start_timeout_ms = 5'000;
constexpr int send_timeout_ms = 1'000;
constexpr int end_timeout_ms = 2'000;

// The first thing that a relay says, or why it says nothing.
Status await_serving(int control, int report, const std::string& program) {
  auto frame = receive_frame(control, relay_start_timeout_ms);
  if (!frame) return std::move(frame).error();
  if (frame->size == 0) {  // it has ended; if that was before exec, the report says why
    int why = 0;
    if (::read(report, &why, sizeof why) != sizeof why) return error(Errc::peer_gone, "it ended at once");
    return error(Errc::kernel, "exec " + program, why);
  }
  if (const auto refusal = wire::read_frame<wire::Refuse>(frame->bytes.data(), frame->size))
    return error(Errc::peer_gone, refusal->text.get());
  CIB_TRY([[maybe_unused]] const auto serving,
          wire::read_frame<wire::Serving>(frame->bytes.data(), frame->size));
  return {};
}

void wait_for(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

Result<RelayProcess> start_relay(int stepd_pidfd, const std::string& program) {
  CIB_TRY(auto ends, make_channel());
  std::array<int, 2> report{};
  if (::pipe2(report.data(), O_CLOEXEC | O_NONBLOCK) != 0) return error(Errc::kernel, "pipe", errno);
  const UniqueFd reading(report[0]);
  UniqueFd writing(report[1]);
  const std::array<const char*, 3> words = {"container-ib-agent", "relay", nullptr};
  const std::array<int, 2> inherited = {ends.second.get(), stepd_pidfd};
  const pid_t child = ::fork();
  if (child < 0) return error(Errc::kernel, "fork for the relay", errno);
  if (child == 0)
    exec_clean(program.c_str(), const_cast<char* const*>(words.data()), inherited, writing.get());
  ends.second.reset();
  writing.reset();
  RelayProcess relay{.control = std::move(ends.first), .pid = child, .pidfd = {}};
  Status serving = await_serving(relay.control.get(), reading.get(), program);
  if (serving.ok()) {
    auto pidfd = open_pidfd(child);
    if (pidfd) {
      relay.pidfd = std::move(*pidfd);
      return relay;
    }
    serving = std::move(pidfd).error();
  }
  (void)::kill(child, SIGKILL);  // our own child, not yet waited for: the number is still its own
  wait_for(child);
  return std::move(serving).error().in("start the relay");
}

Status relay_listener(const RelayProcess& relay, int listener, int task_pidfd, const TcpEndpoint& target) {
  wire::Listener message;
  message.family = target.family == IpFamily::v4 ? 4 : 6;
  message.port = target.port;
  message.address = target.address;
  return send_frame(relay.control.get(), message, send_timeout_ms, std::array{listener, task_pidfd});
}

void end_relay(RelayProcess relay) {
  if (relay.pid <= 0) return;
  const bool told = send_frame(relay.control.get(), wire::End{}, send_timeout_ms).ok();
  if (!told || !readable_within(relay.pidfd.get(), end_timeout_ms)) (void)::kill(relay.pid, SIGKILL);
  wait_for(relay.pid);
}

}  // namespace cib
