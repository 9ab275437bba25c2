#include "container_ib/proposal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container_ib/hca_selection.hpp"
#include "support/node_builder.hpp"

namespace cib {
namespace {

using testing::ElementsAre;

using Path = std::vector<std::string>;

// A GPU and an HCA behind one switch, and an HCA with two ports at the root.
Inventory node_with_storage() {
  Inventory node = test::numa_node(1);
  node.gpus = {{PciAddress{0, 0x41, 0, 0}, {0}, {"host", "root 1", "switch", "down 1"}, "", ""}};
  node.ports = {test::port("mlx5_0", "0000:42:00.0", {0}), test::port("mlx5_1", "0000:0a:00.0", {0}),
                test::port("mlx5_1", "0000:0a:00.0", {0})};
  node.ports[0].pci_path = {"host", "root 1", "switch", "down 2"};
  node.ports[1].pci_path = node.ports[2].pci_path = {"host", "root 2"};
  node.ports[2].number = 2;
  ++node.ports[2].lid;
  return node;
}

std::optional<NodeProposal> proposed(const Inventory& node, const PlacementOptions& options = {}) {
  return propose_node_rule(node, options, place(node, {}, options), "gpu07");
}

TEST(Proposal, IsAnEntryForTheSitesFile) {
  const auto proposal = proposed(node_with_storage());
  ASSERT_TRUE(proposal.has_value());
  EXPECT_THAT(proposal->left_out, ElementsAre("mlx5_1:1", "mlx5_1:2"));
  EXPECT_EQ(proposal->toml(), "[[nodes]]\nname = \"gpu07\"\nhca = [\"mlx5_0\"]\n");
  const SiteConfig site = parse_config(proposal->toml(), "conf").value();
  ASSERT_EQ(site.nodes.size(), 1U);
  const auto node = node_with_storage();
  const auto selection = HcaSelection::parse(site.nodes[0].hca).value();
  EXPECT_TRUE(selection.matches(node.ports[0]));
  EXPECT_FALSE(selection.matches(node.ports[1]));
}

// No machine is built so, but what two ports of one device share is not for this to say.
TEST(Proposal, NamesPortsOfADeviceThatIsNotAllBesideAGpu) {
  Inventory node = node_with_storage();
  node.ports[2].pci_path = node.ports[0].pci_path;
  EXPECT_THAT(proposed(node)->hca, ElementsAre("mlx5_1:2", "mlx5_0"));
}

TEST(Proposal, IsNoneWhereAllPortsAreAlike) {
  Inventory node = node_with_storage();
  node.ports.resize(1);
  EXPECT_FALSE(proposed(node));
  node = node_with_storage();
  for (Port& port : node.ports) port.pci_path = {"host", "root 2"};
  EXPECT_FALSE(proposed(node));
  node.gpus.clear();
  EXPECT_FALSE(proposed(node));
}

TEST(Proposal, IsNoneWhereSomethingIsUnknown) {
  Inventory node = node_with_storage();
  node.gpus.push_back({PciAddress{0, 0x91, 0, 0}, {0}, {}, "", ""});
  EXPECT_FALSE(proposed(node)) << "the other HCA may be beside this GPU";
  node = node_with_storage();
  node.ports[1].pci_path.clear();
  EXPECT_FALSE(proposed(node));
}

TEST(Proposal, IsNoneWhereSomebodyHasSaidIt) {
  const Inventory node = node_with_storage();
  SiteConfig site;
  site.nodes = {NodeRule{{"gpu*"}, {"*"}}};
  const auto options = placement_options(Settings{}, site, "gpu07");
  EXPECT_FALSE(proposed(node, options)) << "that all are for MPI";
  EXPECT_TRUE(proposed(node, placement_options(Settings{}, site, "cpu07"))) << "of another node";
  PlacementOptions of_user;
  of_user.hca = "mlx5_*";
  EXPECT_FALSE(proposed(node, of_user));
}

TEST(Proposal, LeavesOutNoPortThatIsNotUsableAnyway) {
  Inventory node = node_with_storage();
  for (const unsigned i : {1U, 2U}) node.ports[i].state = PortState::down;
  EXPECT_FALSE(proposed(node));
}

}  // namespace
}  // namespace cib
