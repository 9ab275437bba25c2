// A TCP endpoint as the kernel's socket calls take it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "container_ib/endpoint.hpp"

namespace cib {

class SocketAddress {
 public:
  explicit SocketAddress(const TcpEndpoint& endpoint) {
    if (endpoint.family == IpFamily::v4) {
      size_ = sizeof v4_;
      v4_.sin_family = AF_INET;
      v4_.sin_port = htons(endpoint.port);
      std::memcpy(&v4_.sin_addr, endpoint.address.data(), sizeof v4_.sin_addr);
    } else {
      size_ = sizeof v6_;
      v6_.sin6_family = AF_INET6;
      v6_.sin6_port = htons(endpoint.port);
      std::memcpy(&v6_.sin6_addr, endpoint.address.data(), sizeof v6_.sin6_addr);
    }
  }

  int family() const { return size_ == sizeof v4_ ? AF_INET : AF_INET6; }
  socklen_t size() const { return size_; }
  const sockaddr* get() const {
    return size_ == sizeof v4_ ? reinterpret_cast<const sockaddr*>(&v4_)
                               : reinterpret_cast<const sockaddr*>(&v6_);
  }

 private:
  sockaddr_in v4_{};
  sockaddr_in6 v6_{};
  socklen_t size_ = 0;
};

}  // namespace cib
