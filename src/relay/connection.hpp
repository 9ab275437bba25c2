// One connection of a task, and ours to the server that it is for.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/endpoint.hpp"
#include "relay/pending.hpp"

namespace cib {

class Connection {
 public:
  enum Side : unsigned { client = 0, server = 1 };

  // Takes the accepted socket and begins to connect to the server. Over at once when that cannot be.
  Connection(UniqueFd accepted, const TcpEndpoint& target);

  int fd(Side side) const { return fds_[side].get(); }

  // What to wait for on that socket: a set for epoll, which with the empty one still tells of errors; or
  // nothing, when all that epoll has to tell is known, and would be told for ever.
  std::optional<std::uint32_t> wanted(Side side) const;

  // What epoll says of that socket. Moves at most one `scratch` of bytes, so that others get their turn.
  void on_event(Side side, std::uint32_t events, std::span<std::byte> scratch);

  // Both directions have ended, or one has failed: to be closed.
  bool over() const { return over_; }

 private:
  // Bytes from one side to the other.
  struct Flow {
    Pending pending;
    bool ended = false;  // its source has no more, and its sink was told so
  };

  bool has_connected() const;
  void read_from(Side source, std::span<std::byte> scratch);
  void write_pending_to(Side sink);
  void end_flow(Side source);
  // How many of the bytes the sink took; fails the connection when it takes none any more.
  std::size_t send_to(Side sink, std::span<const std::byte> bytes);

  std::array<UniqueFd, 2> fds_;
  std::array<Flow, 2> flows_;  // by source
  std::array<bool, 2> hung_up_{};
  TcpEndpoint target_;
  bool connected_ = false, over_ = false;
};

}  // namespace cib
