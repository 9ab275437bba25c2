#include "adapters/netlink/listening_ports.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>
#include <string_view>

#include "adapters/linux/names_in.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/netlink/netlink_socket.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::size_t limit = 65536;  // descriptors of the process

using Inode = std::uint32_t;  // as sock_diag has it

// "socket:[12345]". The text of the link, since a look through it may wait for whoever serves the file; and
// nobody can give a file such a name: what lies in a directory begins with a slash (d_path), other things
// with "anon_inode:", "pipe:" or the kind of a namespace.
std::optional<Inode> socket_inode(int folder, const std::string& descriptor) {
  constexpr std::string_view before = "socket:[";
  std::array<char, 64> target{};
  const ssize_t size = ::readlinkat(folder, descriptor.c_str(), target.data(), target.size());
  const std::string_view text(target.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (!text.starts_with(before) || !text.ends_with(']')) return {};
  return whole_number<Inode>(text.substr(before.size(), text.size() - before.size() - 1));
}

Result<std::set<Inode>> socket_inodes(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  const UniqueFd fds(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fds) return error(Errc::kernel, "open " + folder, errno);
  CIB_TRY(const auto names, names_in(fds.get(), ".", Entries::all, limit + 1));
  if (names.size() > limit) return error(Errc::unsupported, folder + ": more than 65536 descriptors");
  std::set<Inode> inodes;
  for (const std::string& name : names)
    if (const auto inode = socket_inode(fds.get(), name)) inodes.insert(*inode);
  return inodes;
}

bool takes_v4_too(nlmsghdr* header) {
  const nlattr* only = nlmsg_find_attr(header, sizeof(inet_diag_msg), INET_DIAG_SKV6ONLY);
  return only != nullptr && nla_len(only) == 1 && nla_get_u8(only) == 0;
}

// What one message of the kernel's list says, if it is of these sockets.
void add_listener(nlmsghdr* header, const std::set<Inode>& inodes, std::vector<TcpEndpoint>& found) {
  if (!nlmsg_valid_hdr(header, sizeof(inet_diag_msg))) return;
  const auto* socket = static_cast<const inet_diag_msg*>(nlmsg_data(header));
  if (socket->idiag_inode == 0 || !inodes.contains(socket->idiag_inode)) return;

  TcpEndpoint endpoint;
  endpoint.family = socket->idiag_family == AF_INET6 ? IpFamily::v6 : IpFamily::v4;
  std::memcpy(endpoint.address.data(), socket->id.idiag_src, endpoint.family == IpFamily::v6 ? 16 : 4);
  endpoint.port = ntohs(socket->id.idiag_sport);
  if (!endpoint.is_loopback() && !endpoint.is_wildcard()) return;
  found.push_back(endpoint);
  if (endpoint.family == IpFamily::v6 && endpoint.is_wildcard() && takes_v4_too(header)) {
    endpoint.family = IpFamily::v4;
    found.push_back(endpoint);
  }
}

TcpEndpoint end_of(const inet_diag_msg& socket, const __be32* address, __be16 port) {
  TcpEndpoint end;
  end.family = socket.idiag_family == AF_INET6 ? IpFamily::v6 : IpFamily::v4;
  std::memcpy(end.address.data(), address, end.family == IpFamily::v6 ? 16 : 4);
  end.port = ntohs(port);
  return end;
}

// Both ends of a connection are here, and after it only that of who closed it first.
void add_client(nlmsghdr* header, const std::vector<TcpEndpoint>& servers, std::set<TcpEndpoint>& clients) {
  if (!nlmsg_valid_hdr(header, sizeof(inet_diag_msg))) return;
  const auto& socket = *static_cast<const inet_diag_msg*>(nlmsg_data(header));
  const TcpEndpoint here = end_of(socket, socket.id.idiag_src, socket.id.idiag_sport);
  const TcpEndpoint there = end_of(socket, socket.id.idiag_dst, socket.id.idiag_dport);
  const auto serves = [&](const TcpEndpoint& end) {
    return std::find(servers.begin(), servers.end(), end) != servers.end();
  };
  if (serves(there)) clients.insert(here);
  if (serves(here)) clients.insert(there);
}

template <class Take>
Status list_tcp_sockets(std::uint32_t states, const char* doing, Take take) {
  CIB_TRY(auto socket, NetlinkSocket::open(NETLINK_SOCK_DIAG));
  for (const int family : {AF_INET, AF_INET6}) {
    inet_diag_req_v2 request{};
    request.sdiag_family = static_cast<std::uint8_t>(family);
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = states;
    CIB_TRY(const auto message,
            netlink_message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, &request, sizeof request));
    CIB_CHECK(socket.ask(message.get(), doing, take));
  }
  return {};
}

}  // namespace

Result<std::vector<TcpEndpoint>> listening_endpoints(int pidfd) {
  CIB_TRY(const pid_t pid, pid_of(pidfd));
  CIB_TRY(const std::set<Inode> inodes, socket_inodes(pid));
  // Only now is it known that the number still was that process's while its descriptors were read.
  if (has_ended(pidfd)) return error(Errc::ended, "process " + std::to_string(pid) + " has ended");

  std::vector<TcpEndpoint> found;
  CIB_CHECK(list_tcp_sockets(1U << TCP_LISTEN, "list listening sockets (needs the kernel module tcp_diag)",
                             [&](nlmsghdr* header) { add_listener(header, inodes, found); }));
  return found;
}

Status check_listening(int pidfd, const TcpEndpoint& endpoint) {
  CIB_TRY(const auto served, listening_endpoints(pidfd));
  const bool there = std::any_of(served.begin(), served.end(), [&](const TcpEndpoint& one) {
    return one == endpoint ||
           (one.is_wildcard() && one.family == endpoint.family && one.port == endpoint.port);
  });
  if (!there) return error(Errc::denied, "slurmstepd does not listen on " + endpoint.text());
  return {};
}

Result<unsigned> connections_to(const std::vector<TcpEndpoint>& endpoints) {
  constexpr std::uint32_t all_states = (1U << (TCP_CLOSING + 1)) - 1;
  std::set<TcpEndpoint> clients;
  CIB_CHECK(list_tcp_sockets(all_states & ~(1U << TCP_LISTEN),
                             "list connections (needs the kernel module tcp_diag)",
                             [&](nlmsghdr* header) { add_client(header, endpoints, clients); }));
  return static_cast<unsigned>(clients.size());
}

}  // namespace cib
