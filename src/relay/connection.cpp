#include "relay/connection.hpp"

#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <cerrno>

#include "adapters/linux/socket_address.hpp"

namespace cib {

namespace {

Connection::Side other(Connection::Side side) {
  return side == Connection::client ? Connection::server : Connection::client;
}

// Try again when epoll says so.
bool is_for_later(int error) { return error == EAGAIN || error == EINTR; }

// PMIx' messages are small and want an answer: with Nagle's algorithm each would wait for the other end's
// delayed acknowledgement.
void send_at_once(int socket) {
  const int on = 1;
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Connection::Connection(UniqueFd accepted, const TcpEndpoint& target) : target_(target) {
  const SocketAddress address(target);
  fds_[client] = std::move(accepted);
  fds_[server] = UniqueFd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The kernel gives up by itself (tcp_syn_retries), so there is no time limit here.
  if (::connect(fd(server), address.get(), address.size()) != 0 && errno != EINPROGRESS) over_ = true;
  send_at_once(fd(client));
  send_at_once(fd(server));
}

std::optional<std::uint32_t> Connection::wanted(Side side) const {
  std::uint32_t events = 0;
  if (!connected_) {
    if (side == server) events = EPOLLOUT;
    return events;
  }
  if (!flows_[side].ended && flows_[side].pending.empty()) events |= EPOLLIN;
  if (!flows_[other(side)].pending.empty()) events |= EPOLLOUT;
  if (events == 0 && hung_up_[side]) return std::nullopt;
  return events;
}

void Connection::on_event(Side side, std::uint32_t events, std::span<std::byte> scratch) {
  if (!connected_) {
    // Nothing was asked of the client yet: it can only have gone.
    connected_ = side == server && has_connected();
    over_ = !connected_;
    return;
  }
  // Errors are found by the call that was waited for.
  const bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
  const std::uint32_t waited_for = wanted(side).value_or(0);
  if (waited_for == 0) {
    over_ = over_ || (events & EPOLLERR) != 0;
    hung_up_[side] = (events & EPOLLHUP) != 0;
    return;
  }
  if ((waited_for & EPOLLOUT) != 0 && (failed || (events & EPOLLOUT) != 0)) write_pending_to(side);
  if ((waited_for & EPOLLIN) != 0 && (failed || (events & EPOLLIN) != 0)) read_from(side, scratch);
}

bool Connection::has_connected() const {
  int failure = 0;
  socklen_t size = sizeof failure;
  if (::getsockopt(fd(server), SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0) return false;
  // TCP connects a socket to itself when nobody listens and the port it is given happens to be the same.
  sockaddr_storage own{};
  size = sizeof own;
  if (::getsockname(fd(server), reinterpret_cast<sockaddr*>(&own), &size) != 0) return false;
  const SocketAddress target(target_);
  return size != target.size() || std::memcmp(&own, target.get(), size) != 0;
}

void Connection::read_from(Side source, std::span<std::byte> scratch) {
  const ssize_t size = ::recv(fd(source), scratch.data(), std::min(scratch.size(), Pending::capacity), 0);
  if (size < 0) {
    over_ = over_ || !is_for_later(errno);
  } else if (size == 0) {
    end_flow(source);
  } else {
    const auto bytes = std::span<const std::byte>(scratch).first(static_cast<std::size_t>(size));
    flows_[source].pending.keep(bytes.subspan(send_to(other(source), bytes)));
  }
}

void Connection::write_pending_to(Side sink) {
  Flow& flow = flows_[other(sink)];
  flow.pending.drop(send_to(sink, flow.pending.bytes()));
}

std::size_t Connection::send_to(Side sink, std::span<const std::byte> bytes) {
  const ssize_t size = ::send(fd(sink), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (size >= 0) return static_cast<std::size_t>(size);
  over_ = over_ || !is_for_later(errno);
  return 0;
}

// Nothing is pending here: its source is read only when nothing is.
void Connection::end_flow(Side source) {
  flows_[source].ended = true;
  if (::shutdown(fd(other(source)), SHUT_WR) != 0 || flows_[other(source)].ended) over_ = true;
}

}  // namespace cib
