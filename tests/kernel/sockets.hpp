// TCP sockets on endpoints, and network namespaces with only a loopback device, for tests.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "adapters/linux/socket_address.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {

inline TcpEndpoint v4(std::uint16_t port, std::uint8_t last = 1) {
  return {.family = IpFamily::v4, .address = {127, 0, 0, last}, .port = port};
}

inline TcpEndpoint v6(std::uint16_t port) {
  TcpEndpoint endpoint{.family = IpFamily::v6, .address = {}, .port = port};
  endpoint.address.back() = 1;
  return endpoint;
}

// A blocking socket that listens; invalid when it cannot.
inline UniqueFd listener(const TcpEndpoint& endpoint, bool v6_only = true) {
  const SocketAddress address(endpoint);
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int only = v6_only ? 1 : 0;
  if (endpoint.family == IpFamily::v6)
    (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  if (::bind(fd.get(), address.get(), address.size()) != 0 || ::listen(fd.get(), 128) != 0) fd.reset();
  return fd;
}

inline std::uint16_t port_of(int socket) {
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin6_port);  // sin_port is at the same place
}

// The calling process gets a network of its own, with nothing but a loopback device that is up.
inline bool enter_new_network() {
  if (::unshare(CLONE_NEWNET) != 0) return false;
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

// The network that somebody's process is in.
inline UniqueFd network_of(pid_t pid) {
  return UniqueFd(::open(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace cib::test
