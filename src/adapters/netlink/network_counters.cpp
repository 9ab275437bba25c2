#include "adapters/netlink/network_counters.hpp"

#include <net/if_arp.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace cib {

namespace {

// libnl's own receive would wait for ever for a kernel that does not answer.
constexpr long counters_timeout_s = 2;

bool carries_bytes_of_its_own(rtnl_link* link) {
  if (rtnl_link_get_arptype(link) == ARPHRD_LOOPBACK) return false;
  const char* kind = rtnl_link_get_type(link);  // physical devices have none
  return kind == nullptr || std::string_view(kind) == "veth";
}

}  // namespace

Result<NetworkCounters> network_counters(const std::optional<std::vector<std::string>>& ipoib) {
  const std::unique_ptr<nl_sock, void (*)(nl_sock*)> socket(nl_socket_alloc(), nl_socket_free);
  if (!socket) return error(Errc::kernel, "netlink socket", ENOMEM);
  if (const int rc = nl_connect(socket.get(), NETLINK_ROUTE); rc < 0)
    return error(Errc::kernel, std::string("netlink: ") + nl_geterror(rc));
  const timeval timeout{.tv_sec = counters_timeout_s, .tv_usec = 0};
  (void)::setsockopt(nl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);

  nl_cache* raw = nullptr;
  if (const int rc = rtnl_link_alloc_cache(socket.get(), AF_UNSPEC, &raw); rc < 0)
    return error(Errc::kernel, std::string("list network devices: ") + nl_geterror(rc));
  const std::unique_ptr<nl_cache, void (*)(nl_cache*)> cache(raw, nl_cache_free);

  NetworkCounters sum;
  for (nl_object* object = nl_cache_get_first(cache.get()); object != nullptr;
       object = nl_cache_get_next(object)) {
    auto* link = reinterpret_cast<rtnl_link*>(object);
    const std::uint64_t sent = rtnl_link_get_stat(link, RTNL_LINK_TX_BYTES);
    const std::uint64_t received = rtnl_link_get_stat(link, RTNL_LINK_RX_BYTES);
    if (rtnl_link_get_arptype(link) == ARPHRD_INFINIBAND) {
      if (ipoib && std::find(ipoib->begin(), ipoib->end(), rtnl_link_get_name(link)) == ipoib->end())
        continue;
      sum.ipoib_sent += sent;
      sum.ipoib_received += received;
    } else if (carries_bytes_of_its_own(link)) {
      sum.sent += sent;
      sum.received += received;
    }
  }
  return sum;
}

}  // namespace cib
