#include "adapters/linux/listen_in_network.hpp"

#include <cerrno>
#include <span>

#include "adapters/linux/in_namespace.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "adapters/linux/socket_address.hpp"

namespace cib {

namespace {

constexpr int timeout_ms = 2'000;
// Processes of a task that start at once; a client beyond it tries again by itself.
constexpr int backlog = 64;

struct Work {
  const TcpEndpoint& endpoint;
  int answer;  // socket that takes the result
};

int make_listener(void* arg) {
  const Work& work = *static_cast<const Work*>(arg);
  const SocketAddress address(work.endpoint);
  const UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return errno;
  const int on = 1;
  if (address.family() == AF_INET6 &&
      ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
    return errno;
  if (::bind(socket.get(), address.get(), address.size()) != 0) return errno;
  if (::listen(socket.get(), backlog) != 0) return errno;
  const int fd = socket.get();
  const auto sent = send_frame(work.answer, wire::Serving{}, timeout_ms, std::span(&fd, 1));
  return sent.ok() ? 0 : sent.error().sys_errno;
}

}  // namespace

Result<UniqueFd> listen_in_network(int network_namespace, const TcpEndpoint& endpoint) {
  CIB_TRY(const auto ends, make_channel());
  Work work{.endpoint = endpoint, .answer = ends.second.get()};
  const std::string doing = "listen on " + endpoint.text() + " in the task's network namespace";
  CIB_CHECK(in_network_namespace(network_namespace, make_listener, &work, {work.answer}, doing, timeout_ms));
  CIB_TRY(Frame frame, receive_frame(ends.first.get(), 0, 1));
  if (frame.fds.size() != 1) return error(Errc::bug, doing + ": no socket came back");
  return std::move(frame.fds.front());
}

}  // namespace cib
