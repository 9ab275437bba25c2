#pragma once

#include "container_ib/ports/node.hpp"

namespace cib {

class LiveNode final : public Node {
 public:
  Result<SiteConfig> site_config(const std::string& path) override;
  Result<Inventory> inventory(const SiteConfig& site) override;
  Result<NodeCounters> counters(const std::vector<Port>& ports) override;
};

}  // namespace cib
