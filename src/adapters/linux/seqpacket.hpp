// Frames and file descriptors over a SOCK_SEQPACKET socket, every wait bounded.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "adapters/linux/unique_fd.hpp"
#include "container_ib/result.hpp"
#include "container_ib/wire.hpp"

namespace cib {

struct Frame {
  std::array<std::byte, wire::max_frame> bytes{};
  std::size_t size = 0;  // 0: the other end is closed
  std::vector<UniqueFd> fds;
};

// Two connected ends, close-on-exec.
Result<std::pair<UniqueFd, UniqueFd>> make_channel();

// Lets `bytes` in frames of one kibibyte or more be sent before the other end reads the first. A process
// without NET_ADMIN gets what net.core.wmem_max allows, and waits in send_bytes for the rest.
void reserve_room(int socket, std::size_t bytes);

// Waits at most timeout_ms for room. A closed other end is peer_gone (and never SIGPIPE).
Status send_bytes(int socket, const void* bytes, std::size_t size, std::span<const int> fds, int timeout_ms);

template <class M>
Status send_frame(int socket, const M& message, int timeout_ms, std::span<const int> fds = {}) {
  return send_bytes(socket, &message, sizeof message, fds, timeout_ms);
}

// Waits at most timeout_ms (0: not at all) for a frame; timed_out when none came. Up to `descriptors` may
// come along; they are owned by the frame, close-on-exec. A frame that is larger than any of ours is corrupt
// and read; so is one with more descriptors than that, or than this process may open.
//
// Without `descriptors` a frame that has some is denied, and stays in the socket, from which nothing may be
// read any more: whoever closes the last copy of a descriptor waits for the file system or the socket behind
// it, and that can be its sender's (close(2): fuse_flush, SO_LINGER, locks_remove_file).
Result<Frame> receive_frame(int socket, int timeout_ms, std::size_t descriptors = 0);

// The kind of the frame that would be received now, if there is one, as it claims to be.
std::optional<wire::Kind> next_kind(int socket);

// Ends the conversation without closing the socket: the other end sees its end after what was sent to it.
void end_conversation(int socket);

}  // namespace cib
