#include "adapters/linux/seqpacket.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "adapters/linux/deadline.hpp"

namespace cib {

namespace {

constexpr std::size_t max_fds = 64;

Status wait_for(int socket, short events, const Deadline& deadline) {
  const int ready = poll_one(socket, events, deadline);
  if (ready < 0) return error(Errc::kernel, "poll", errno);
  return ready > 0 ? Status() : error(Errc::timed_out, "no answer in time");
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> make_channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return error(Errc::kernel, "socketpair", errno);
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

// The kernel doubles what it is given (sock_setsockopt), and charges a frame with the power of two that it is
// allocated in and its bookkeeping (skb->truesize): less than four times its size in all.
void reserve_room(int socket, std::size_t bytes) {
  const int size = static_cast<int>(2 * bytes);
  if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
    (void)::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

Status send_bytes(int socket, const void* bytes, std::size_t size, std::span<const int> fds, int timeout_ms) {
  if (fds.size() > max_fds) return error(Errc::bug, "too many descriptors for one frame");
  iovec data{.iov_base = const_cast<void*>(bytes), .iov_len = size};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(max_fds * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  const Deadline deadline(timeout_ms);
  for (;;) {
    if (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET)
      return error(Errc::peer_gone, "the other end is closed", errno);
    if (errno != EAGAIN) return error(Errc::kernel, "sendmsg", errno);
    CIB_CHECK(wait_for(socket, POLLOUT, deadline));
  }
}

Result<Frame> receive_frame(int socket, int timeout_ms, std::size_t descriptors) {
  if (descriptors > max_fds) return error(Errc::bug, "too many descriptors for one frame");
  Frame frame;
  iovec data{.iov_base = frame.bytes.data(), .iov_len = frame.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(max_fds * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (descriptors > 0) message.msg_control = control.data();
  const Deadline deadline(timeout_ms);
  // A look first: what the kernel has no room for is closed by who receives it, but not by who only looks.
  bool looked = descriptors > 0;
  ssize_t size = -1;
  for (bool closed = false;;) {
    message.msg_controllen = descriptors > 0 ? CMSG_LEN(descriptors * sizeof(int)) : 0;
    message.msg_flags = 0;
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT | (looked ? 0 : MSG_PEEK));
    if (size > 0 && looked) break;
    if (size > 0) {
      if ((message.msg_flags & MSG_CTRUNC) != 0)
        return error(Errc::denied, "a descriptor that nobody asked for");
      looked = true;
      continue;
    }
    // Closed; ECONNRESET: with our frames unread. Frames that were sent before may still be there: the kernel
    // looks whether there are any before it looks whether the socket is closed (unix_dgram_recvmsg), and
    // tells of a reset first.
    if (size == 0 || errno == ECONNRESET) {
      if (std::exchange(closed, true)) return frame;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return error(Errc::kernel, "recvmsg", errno);
    CIB_CHECK(wait_for(socket, POLLIN, deadline));
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      frame.fds.emplace_back(fd);
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0)
    return error(Errc::corrupt, "a message with more descriptors than there is room for");
  if ((message.msg_flags & MSG_TRUNC) != 0) return error(Errc::corrupt, "message too large");
  frame.size = static_cast<std::size_t>(size);
  return frame;
}

std::optional<wire::Kind> next_kind(int socket) {
  wire::Header header;
  const ssize_t size = ::recv(socket, &header, sizeof header, MSG_PEEK | MSG_DONTWAIT);
  if (size != static_cast<ssize_t>(sizeof header)) return {};
  return header.kind;
}

void end_conversation(int socket) { (void)::shutdown(socket, SHUT_RDWR); }

}  // namespace cib
