#include "adapters/netlink/rdma_devices.hpp"

#include <netlink/msg.h>
#include <rdma/rdma_netlink.h>

#include <array>

#include "adapters/netlink/netlink_socket.hpp"

namespace cib {

namespace {

Result<NetlinkMessage> rdma_message(int command, int flags) {
  return netlink_message(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command), flags, nullptr, 0);
}

template <std::size_t N>
bool parse(nlmsghdr* header, std::array<nlattr*, N>& attributes) {
  return ::nlmsg_parse(header, 0, attributes.data(), N - 1, nullptr) == 0;
}

using Attributes = std::array<nlattr*, RDMA_NLDEV_ATTR_MAX>;

template <class Put>
Status set_device(const RdmaDevice& device, const std::string& doing, Put put) {
  CIB_TRY(auto socket, NetlinkSocket::open(NETLINK_RDMA));
  CIB_TRY(const auto message, rdma_message(RDMA_NLDEV_CMD_SET, NLM_F_REQUEST));
  if (::nla_put_u32(message.get(), RDMA_NLDEV_ATTR_DEV_INDEX, device.index) != 0 || put(message.get()) != 0)
    return error(Errc::bug, doing + ": too long for a message");
  return socket.request(message.get(), doing);
}

}  // namespace

Result<bool> rdma_is_exclusive() {
  CIB_TRY(auto socket, NetlinkSocket::open(NETLINK_RDMA));
  CIB_TRY(const auto message, rdma_message(RDMA_NLDEV_CMD_SYS_GET, NLM_F_REQUEST | NLM_F_ACK));
  bool shared = true;  // what kernels before 5.2 are
  CIB_CHECK(
      socket.ask(message.get(), "read the RDMA subsystem's network namespace mode", [&](nlmsghdr* header) {
        Attributes attributes{};
        if (parse(header, attributes) && attributes[RDMA_NLDEV_SYS_ATTR_NETNS_MODE] != nullptr)
          shared = ::nla_get_u8(attributes[RDMA_NLDEV_SYS_ATTR_NETNS_MODE]) != 0;
      }));
  return !shared;
}

Result<std::vector<RdmaDevice>> rdma_devices() {
  CIB_TRY(auto socket, NetlinkSocket::open(NETLINK_RDMA));
  CIB_TRY(const auto message, rdma_message(RDMA_NLDEV_CMD_GET, NLM_F_REQUEST | NLM_F_DUMP));
  std::vector<RdmaDevice> devices;
  CIB_CHECK(socket.ask(message.get(), "list RDMA devices", [&](nlmsghdr* header) {
    Attributes attributes{};
    if (!parse(header, attributes) || attributes[RDMA_NLDEV_ATTR_DEV_INDEX] == nullptr ||
        attributes[RDMA_NLDEV_ATTR_DEV_NAME] == nullptr)
      return;
    devices.push_back({::nla_get_u32(attributes[RDMA_NLDEV_ATTR_DEV_INDEX]),
                       ::nla_get_string(attributes[RDMA_NLDEV_ATTR_DEV_NAME])});
  }));
  return devices;
}

Status move_rdma_device(const RdmaDevice& device, int network_namespace) {
  return set_device(
      device, "move RDMA device " + device.name + " to another network namespace", [&](nl_msg* m) {
        return ::nla_put_u32(m, RDMA_NLDEV_NET_NS_FD, static_cast<std::uint32_t>(network_namespace));
      });
}

Status rename_rdma_device(const RdmaDevice& device, const std::string& name) {
  return set_device(device, "rename RDMA device " + device.name + " to " + name,
                    [&](nl_msg* m) { return ::nla_put_string(m, RDMA_NLDEV_ATTR_DEV_NAME, name.c_str()); });
}

}  // namespace cib
