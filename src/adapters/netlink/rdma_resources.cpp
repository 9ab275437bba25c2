#include "adapters/netlink/rdma_resources.hpp"

#include <netlink/msg.h>
#include <rdma/rdma_netlink.h>

#include <array>

#include "adapters/netlink/netlink_socket.hpp"

namespace cib {

namespace {

constexpr int resources_timeout_s = 2;  // for a report, which is not worth more

using ResourceAttributes = std::array<nlattr*, RDMA_NLDEV_ATTR_MAX>;

// A list of the kernel's: what asks for it, and the nested attributes that it comes in.
struct ResourceList {
  int command, table, entry;
};

void add_holder(nlattr* entry, std::set<RdmaHolder>& holders) {
  ResourceAttributes of{};
  if (::nla_parse_nested(of.data(), static_cast<int>(of.size()) - 1, entry, nullptr) != 0) return;
  if (of[RDMA_NLDEV_ATTR_RES_KERN_NAME] != nullptr) return;
  RdmaHolder holder;
  if (nlattr* pid = of[RDMA_NLDEV_ATTR_RES_PID]) holder.thread = static_cast<pid_t>(::nla_get_u32(pid));
  if (nlattr* port = of[RDMA_NLDEV_ATTR_PORT_INDEX]) holder.port = ::nla_get_u32(port);
  holders.insert(holder);
}

Result<std::set<RdmaHolder>> holders_of(const RdmaDevice& device, const ResourceList& list,
                                        const std::string& what) {
  const std::string doing = "list who has " + what + " of " + device.name;
  CIB_TRY(auto socket, NetlinkSocket::open(NETLINK_RDMA, resources_timeout_s));
  CIB_TRY(const auto message, netlink_message(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, list.command),
                                              NLM_F_REQUEST | NLM_F_DUMP, nullptr, 0));
  if (::nla_put_u32(message.get(), RDMA_NLDEV_ATTR_DEV_INDEX, device.index) != 0)
    return error(Errc::bug, doing + ": too long for a message");
  std::set<RdmaHolder> holders;
  CIB_CHECK(socket.ask(message.get(), doing, [&](nlmsghdr* header) {
    ResourceAttributes attributes{};
    if (::nlmsg_parse(header, 0, attributes.data(), static_cast<int>(attributes.size()) - 1, nullptr) != 0)
      return;
    nlattr* table = attributes[static_cast<std::size_t>(list.table)];
    if (table == nullptr) return;
    nlattr* entry = nullptr;
    int left = 0;
    nla_for_each_nested(entry, table, left) if (::nla_type(entry) == list.entry) add_holder(entry, holders);
  }));
  return holders;
}

}  // namespace

Result<std::set<RdmaHolder>> holders_of_protection_domains(const RdmaDevice& device) {
  return holders_of(device, {RDMA_NLDEV_CMD_RES_PD_GET, RDMA_NLDEV_ATTR_RES_PD, RDMA_NLDEV_ATTR_RES_PD_ENTRY},
                    "protection domains");
}

Result<std::set<RdmaHolder>> holders_of_queue_pairs(const RdmaDevice& device) {
  return holders_of(device, {RDMA_NLDEV_CMD_RES_QP_GET, RDMA_NLDEV_ATTR_RES_QP, RDMA_NLDEV_ATTR_RES_QP_ENTRY},
                    "queue pairs");
}

}  // namespace cib
