#pragma once

#include "container_ib/world/node.hpp"

namespace cib {

class LiveNode final : public Node {
 public:
  // The node's structure is kept in `state_dir` for the steps to come.
  explicit LiveNode(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  Result<SiteConfig> site_config(const std::string& path) override;
  Result<Inventory> inventory(const SiteConfig& site) override;
  Result<NodeCounters> counters(const std::vector<PlacedPort>& ports) override;
  Result<RdmaUsers> rdma_users(const std::vector<PlacedPort>& ports, const std::string& step) override;
  Result<bool> rdma_is_exclusive() override;
  Result<VfsOfPf> vfs_of(const Port& pf) override;
  Result<WholeDevice> whole_device(const Port& port, const std::string& step) override;
  Result<std::vector<std::uint16_t>> pkeys(const Port& port) override;
  Result<std::map<std::string, std::string>> claims() override;
  Result<unsigned> connections_to(const std::vector<TcpEndpoint>& endpoints) override;
  Result<std::vector<ContainerUse>> others_in_container(const std::string& container,
                                                        const std::string& step) override;
  Result<std::string> rdma_device(const PciAddress& pci, const NetnsFile& netns) override;
  Result<std::vector<std::string>> netdevs_in(const NetnsFile& netns) override;
  Result<std::string> netdev_with(const std::string& address) override;
  Result<std::string> netdev_of(const Port& port) override;
  Result<Gid> await_gid(const Port& port, const NetnsFile& netns, const std::string& address,
                        int timeout_ms) override;
  Status await_carrier(const NetnsFile& netns, const std::string& netdev, int timeout_ms) override;

 private:
  std::string state_dir_;
};

}  // namespace cib
