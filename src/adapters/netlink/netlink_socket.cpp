#include "adapters/netlink/netlink_socket.hpp"

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <cerrno>
#include <string>

namespace cib {

namespace {

constexpr int dump_attempts = 5;

// What a kernel lacks that has no such protocol, and whether a module would bring it.
Error no_protocol(int protocol) {
  if (protocol == NETLINK_RDMA)
    return error(Errc::unsupported, "this kernel has no RDMA subsystem; see 'modprobe ib_core'");
  if (protocol == NETLINK_SOCK_DIAG)
    return error(Errc::unsupported, "this kernel cannot list sockets; see 'modprobe inet_diag'");
  return error(Errc::unsupported, "this kernel has no netlink protocol " + std::to_string(protocol));
}

struct Answer {
  const std::function<void(nlmsghdr*)>* see = nullptr;
  int kernel_errno = 0;
  bool changed = false;
};

int on_message(nl_msg* message, void* argument) {
  auto* answer = static_cast<Answer*>(argument);
  nlmsghdr* header = ::nlmsg_hdr(message);
  if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) answer->changed = true;
  if (*answer->see) (*answer->see)(header);
  return NL_OK;
}

// Not libnl's own translation, which makes one error of several of the kernel's.
int on_error(sockaddr_nl*, nlmsgerr* error, void* argument) {
  static_cast<Answer*>(argument)->kernel_errno = -error->error;
  return NL_STOP;
}

}  // namespace

Result<NetlinkMessage> netlink_message(int type, int flags, const void* header, std::size_t size) {
  NetlinkMessage message(::nlmsg_alloc_simple(type, flags), ::nlmsg_free);
  if (!message || ::nlmsg_append(message.get(), const_cast<void*>(header), size, NLMSG_ALIGNTO) != 0)
    return error(Errc::kernel, "make a netlink message", ENOMEM);
  return message;
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol, int timeout_s) {
  Socket socket(::nl_socket_alloc(), ::nl_socket_free);
  if (!socket) return error(Errc::kernel, "netlink socket", ENOMEM);
  const int rc = ::nl_connect(socket.get(), protocol);
  if (rc == -NLE_PROTO_MISMATCH) return no_protocol(protocol);  // libnl's word for EPROTONOSUPPORT
  if (rc < 0) return error(Errc::kernel, std::string("netlink socket: ") + ::nl_geterror(rc));
  // libnl's own receive would wait for ever for a kernel that does not answer.
  const timeval timeout{.tv_sec = timeout_s, .tv_usec = 0};
  (void)::setsockopt(::nl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  return NetlinkSocket(std::move(socket), timeout_s);
}

Status NetlinkSocket::request(nl_msg* message, const std::string& doing) {
  ::nlmsg_hdr(message)->nlmsg_flags |= NLM_F_ACK;
  if (const int rc = ::nl_send_auto(socket_.get(), message); rc < 0)
    return error(Errc::kernel, doing + ": " + ::nl_geterror(rc));
  bool changed = false;
  return receive(doing, {}, changed);
}

Status NetlinkSocket::ask(nl_msg* message, const std::string& doing,
                          const std::function<void(nlmsghdr*)>& see) {
  for (int attempt = 1;; ++attempt) {
    ::nlmsg_hdr(message)->nlmsg_seq = NL_AUTO_SEQ;
    if (const int rc = ::nl_send_auto(socket_.get(), message); rc < 0)
      return error(Errc::kernel, doing + ": " + ::nl_geterror(rc));
    bool changed = false;
    CIB_CHECK(receive(doing, see, changed));
    if (!changed) return {};
    if (attempt == dump_attempts) return error(Errc::changed, doing + ": it changes all the time");
  }
}

Status NetlinkSocket::receive(const std::string& doing, const std::function<void(nlmsghdr*)>& see,
                              bool& changed) {
  Answer answer{.see = &see};
  const std::unique_ptr<nl_cb, void (*)(nl_cb*)> callbacks(::nl_cb_alloc(NL_CB_DEFAULT), ::nl_cb_put);
  if (!callbacks) return error(Errc::kernel, doing, ENOMEM);
  bool over = false;
  const auto end = [](nl_msg*, void* argument) -> int {
    *static_cast<bool*>(argument) = true;
    return NL_STOP;
  };
  ::nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_message, &answer);
  ::nl_cb_set(
      callbacks.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM, [](nl_msg*, void*) -> int { return NL_OK; }, nullptr);
  ::nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, end, &over);
  ::nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, end, &over);
  ::nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &answer);
  while (!over) {
    const int rc = ::nl_recvmsgs(socket_.get(), callbacks.get());
    if (answer.kernel_errno != 0) return error(Errc::kernel, doing, answer.kernel_errno);
    if (rc == -NLE_AGAIN)
      return error(Errc::timed_out,
                   doing + ": the kernel did not answer within " + std::to_string(timeout_s_) + " s");
    if (rc < 0) return error(Errc::kernel, doing + ": " + ::nl_geterror(rc));
  }
  changed = answer.changed;
  return {};
}

}  // namespace cib
