// Requests to the kernel over netlink, every answer awaited for a bounded time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "container_ib/result.hpp"

struct nl_msg;
struct nl_sock;
struct nlmsghdr;

namespace cib {

using NetlinkMessage = std::unique_ptr<nl_msg, void (*)(nl_msg*)>;

// A message of this type with its family header in front, to which attributes are then added.
// Returns bug when memory is short.
Result<NetlinkMessage> netlink_message(int type, int flags, const void* header, std::size_t size);

inline constexpr int netlink_timeout_s = 5;

class NetlinkSocket {
 public:
  // It belongs to the network namespace of the caller, wherever it is used later. An answer of the kernel, or
  // the next part of it, that is not there after `timeout_s` is timed_out.
  static Result<NetlinkSocket> open(int protocol, int timeout_s = netlink_timeout_s);

  // Sends the message and waits for the kernel's acknowledgement. `doing` names operand and act: "create
  // ib0".
  Status request(nl_msg* message, const std::string& doing);

  // Sends a question (NLM_F_DUMP or one object) and gives `see` each message of the answer. Asks again when
  // the answer changed while it was given.
  Status ask(nl_msg* message, const std::string& doing, const std::function<void(nlmsghdr*)>& see);

 private:
  using Socket = std::unique_ptr<nl_sock, void (*)(nl_sock*)>;
  NetlinkSocket(Socket socket, int timeout_s) : socket_(std::move(socket)), timeout_s_(timeout_s) {}
  Status receive(const std::string& doing, const std::function<void(nlmsghdr*)>& see, bool& changed);

  Socket socket_;
  int timeout_s_;
};

}  // namespace cib
