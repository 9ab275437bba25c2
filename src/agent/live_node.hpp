#pragma once

#include "container_ib/ports/node.hpp"

namespace cib {

class LiveNode final : public Node {
 public:
  // The node's structure is kept in `state_dir` for the steps to come.
  explicit LiveNode(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  Result<SiteConfig> site_config(const std::string& path) override;
  Result<Inventory> inventory(const SiteConfig& site) override;
  Result<NodeCounters> counters(const std::vector<Port>& ports) override;

 private:
  std::string state_dir_;
};

}  // namespace cib
