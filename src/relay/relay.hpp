// Accepts on listening sockets of other network namespaces and carries the bytes to servers in this one.
//
// One thread, every wait in epoll. It connects only to the endpoints that came with the listeners, and trusts
// nobody that connects: what there can be at once is limited, and so is the memory of each.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "adapters/linux/deadline.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "container_ib/endpoint.hpp"
#include "relay/connection.hpp"

namespace cib {

class Relay {
 public:
  // `control` is where listeners come from, `owner` the pidfd of slurmstepd, in which the servers are.
  // `max_descriptors` is what this process may have open.
  Relay(UniqueFd control, UniqueFd owner, std::size_t max_descriptors);

  // Returns when the control socket says end, or when slurmstepd has ended. A control socket that is closed,
  // or talks nonsense, ends nothing: the agent may have been killed, and its tasks still need the server.
  Status run();

 private:
  enum class Source : std::uint8_t { control, owner, listeners, task, client, server };
  struct Tag {
    Source source{};
    std::uint64_t id =
        0;  // of a listener or a connection; never used again, so an event of a dead one is known
    std::uint64_t packed() const;
    static Tag unpacked(std::uint64_t bits);
  };
  struct Listener {
    UniqueFd socket;
    UniqueFd task;  // pidfd; when it has ended nobody connects any more and the namespace may go
    TcpEndpoint target;
  };
  struct Relayed {
    Connection connection;
    std::array<std::optional<std::uint32_t>, 2> watched{};  // what epoll waits for, by side
  };

  Status watch(int fd, Tag tag);
  void on_event(Tag tag, std::uint32_t events);
  void on_control();
  Status on_frame(Frame frame);
  void on_listeners();
  void accept_from(const Listener& listener);
  void on_task_ended(std::uint64_t id);
  void on_connection(Tag tag, std::uint32_t events);
  bool watch_sides(std::uint64_t id, Relayed& relayed);
  void decide_whether_to_accept();
  bool is_full() const;

  UniqueFd control_, owner_;
  UniqueFd epoll_;
  UniqueFd listeners_epoll_;  // in epoll_, so that accepting from all of them stops and goes on with one call
  std::unordered_map<std::uint64_t, Listener> listeners_;
  std::unordered_map<std::uint64_t, Relayed> connections_;
  std::vector<std::byte> scratch_;
  std::size_t max_descriptors_;
  std::uint64_t next_id_ = 1;
  bool accepts_ = true;
  std::optional<Deadline> short_of_resources_;
  bool over_ = false;
};

}  // namespace cib
