#include "relay/relay.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace cib {

namespace {

constexpr int answer_timeout_ms = 1'000;
constexpr int frames_a_turn = 64;  // then others get their turn
constexpr std::size_t listeners_a_turn = 16;
// How long nothing is accepted when the kernel has no descriptor or memory for one more: no event tells when
// it has again.
constexpr int pause_ms = 200;

constexpr std::size_t connections_a_listener = 4;  // of a task and of the tools that it starts
constexpr std::size_t min_connections = 64;
constexpr std::size_t own_descriptors = 16;

constexpr unsigned id_bits = 56;

Status control_epoll(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll, operation, fd, &event) != 0) return error(Errc::kernel, "epoll_ctl", errno);
  return {};
}

}  // namespace

std::uint64_t Relay::Tag::packed() const { return static_cast<std::uint64_t>(source) << id_bits | id; }

Relay::Tag Relay::Tag::unpacked(std::uint64_t bits) {
  return {.source = static_cast<Source>(bits >> id_bits), .id = bits & ((std::uint64_t{1} << id_bits) - 1)};
}

Relay::Relay(UniqueFd control, UniqueFd owner, std::size_t max_descriptors)
    : control_(std::move(control)),
      owner_(std::move(owner)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      listeners_epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      scratch_(Pending::capacity),
      max_descriptors_(max_descriptors) {}

Status Relay::run() {
  CIB_CHECK(watch(control_.get(), {.source = Source::control}));
  CIB_CHECK(watch(owner_.get(), {.source = Source::owner}));
  CIB_CHECK(watch(listeners_epoll_.get(), {.source = Source::listeners}));
  CIB_CHECK(send_frame(control_.get(), wire::Serving{}, answer_timeout_ms));
  while (!over_) {
    std::array<epoll_event, 64> events{};
    const int wait_ms = short_of_resources_ ? short_of_resources_->left_ms() : -1;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms);
    if (count < 0 && errno != EINTR) return error(Errc::kernel, "epoll_wait", errno);
    for (int i = 0; i < count && !over_; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      on_event(Tag::unpacked(event.data.u64), event.events);
    }
    decide_whether_to_accept();
  }
  return {};
}

Status Relay::watch(int fd, Tag tag) {
  return control_epoll(epoll_.get(), EPOLL_CTL_ADD, fd, EPOLLIN, tag.packed());
}

void Relay::on_event(Tag tag, std::uint32_t events) {
  switch (tag.source) {
    case Source::control:
      return on_control();
    case Source::owner:
      over_ = true;
      return;
    case Source::listeners:
      return on_listeners();
    case Source::task:
      return on_task_ended(tag.id);
    case Source::client:
    case Source::server:
      return on_connection(tag, events);
  }
}

void Relay::on_control() {
  for (int i = 0; i < frames_a_turn && !over_; ++i) {
    auto frame = receive_frame(control_.get(), 0, 2);
    if (!frame && frame.error().code == Errc::timed_out) return;
    if (!frame || frame->size == 0 || !on_frame(std::move(*frame)).ok()) {
      control_.reset();  // which the agent, if it lives, sees when it sends the next
      return;
    }
  }
}

Status Relay::on_frame(Frame frame) {
  CIB_TRY(const wire::Kind kind, wire::kind_of(frame.bytes.data(), frame.size));
  if (kind == wire::Kind::end) {
    over_ = true;
    return {};
  }
  CIB_TRY(const auto message, wire::read_frame<wire::Listener>(frame.bytes.data(), frame.size));
  TcpEndpoint target{.family = message.family == 4 ? IpFamily::v4 : IpFamily::v6,
                     .address = message.address,
                     .port = static_cast<std::uint16_t>(message.port)};
  if ((message.family != 4 && message.family != 6) || message.port != target.port || !target.is_loopback() ||
      frame.fds.size() != 2)
    return error(Errc::corrupt, "a listener without a loopback endpoint, a socket and a task");
  const std::uint64_t id = next_id_++;
  Listener listener{.socket = std::move(frame.fds[0]), .task = std::move(frame.fds[1]), .target = target};
  CIB_CHECK(control_epoll(listeners_epoll_.get(), EPOLL_CTL_ADD, listener.socket.get(), EPOLLIN, id));
  CIB_CHECK(watch(listener.task.get(), {.source = Source::task, .id = id}));
  listeners_.emplace(id, std::move(listener));
  return {};
}

void Relay::on_listeners() {
  std::array<epoll_event, listeners_a_turn> events{};
  const int count = ::epoll_wait(listeners_epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i)
    if (const auto listener = listeners_.find(events[static_cast<std::size_t>(i)].data.u64);
        listener != listeners_.end())
      accept_from(listener->second);
}

// What waits there, as far as there is room.
void Relay::accept_from(const Listener& listener) {
  while (!is_full() && !short_of_resources_) {
    UniqueFd accepted(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        short_of_resources_.emplace(pause_ms);
      if (errno == ECONNABORTED || errno == EINTR) continue;
      return;
    }
    const std::uint64_t id = next_id_++;
    Relayed relayed{.connection = Connection(std::move(accepted), listener.target)};
    if (watch_sides(id, relayed)) connections_.emplace(id, std::move(relayed));
  }
}

// Its connections end as their sockets do, with what it sent last; only new ones there will be none.
void Relay::on_task_ended(std::uint64_t id) {
  const auto listener = listeners_.find(id);
  if (listener == listeners_.end()) return;
  accept_from(listener->second);
  listeners_.erase(listener);
}

void Relay::on_connection(Tag tag, std::uint32_t events) {
  const auto found = connections_.find(tag.id);
  if (found == connections_.end()) return;  // closed after an earlier event of the same wait
  found->second.connection.on_event(tag.source == Source::client ? Connection::client : Connection::server,
                                    events, scratch_);
  if (!watch_sides(tag.id, found->second)) connections_.erase(found);
}

// Tells epoll what the connection waits for now. False when it is over.
bool Relay::watch_sides(std::uint64_t id, Relayed& relayed) {
  Connection& connection = relayed.connection;
  if (connection.over()) return false;
  for (const auto side : {Connection::client, Connection::server}) {
    const auto wanted = connection.wanted(side);
    auto& watched = relayed.watched[side];
    if (wanted == watched) continue;
    const int operation = !wanted ? EPOLL_CTL_DEL : !watched ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    const Tag tag{.source = side == Connection::client ? Source::client : Source::server, .id = id};
    if (!control_epoll(epoll_.get(), operation, connection.fd(side), wanted.value_or(0), tag.packed()).ok())
      return false;
    watched = wanted;
  }
  return true;
}

void Relay::decide_whether_to_accept() {
  if (short_of_resources_ && short_of_resources_->passed()) short_of_resources_.reset();
  const bool accepts = !is_full() && !short_of_resources_;
  if (accepts == accepts_) return;
  const std::uint32_t events = accepts ? std::uint32_t{EPOLLIN} : 0;
  const Tag tag{.source = Source::listeners};
  if (control_epoll(epoll_.get(), EPOLL_CTL_MOD, listeners_epoll_.get(), events, tag.packed()).ok())
    accepts_ = accepts;
}

bool Relay::is_full() const {
  const std::size_t wanted = std::max(min_connections, connections_a_listener * listeners_.size());
  const std::size_t used = own_descriptors + 2 * (listeners_.size() + connections_.size());
  return connections_.size() >= wanted || used + 2 > max_descriptors_;
}

}  // namespace cib
