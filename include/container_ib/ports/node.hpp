// What the agent reads of the node. Nothing here changes anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "container_ib/config.hpp"
#include "container_ib/model.hpp"
#include "container_ib/result.hpp"

namespace cib {

// Bytes since some fixed moment in the past; only differences mean something.
struct NodeCounters {
  std::uint64_t verbs_sent = 0, verbs_received = 0;  // sum over the asked ports
  std::uint64_t tcp_sent = 0, tcp_received = 0;      // sum over all network devices but lo and IPoIB
  std::uint64_t ipoib_sent = 0, ipoib_received = 0;  // sum over the ports' IPoIB devices; part of verbs_*
};

class Node {
 public:
  virtual ~Node() = default;
  virtual Result<SiteConfig> site_config(const std::string& path) = 0;
  virtual Result<Inventory> inventory(const SiteConfig& site) = 0;
  virtual Result<NodeCounters> counters(const std::vector<Port>& ports) = 0;
};

}  // namespace cib
