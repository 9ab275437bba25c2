#include "container_ib/site_fabric.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/node_builder.hpp"

namespace cib {
namespace {

using testing::HasSubstr;

SiteConfig site() {
  SiteConfig config;
  config.fabrics = {{.name = "compute", .nodes = {"gpu[01-16]"}, .prefix = 0xfec0000000000001, .hca = {}},
                    {.name = "all_nodes", .nodes = {"*"}, .prefix = {}, .sm_lid = 5, .hca = {}}};
  return config;
}

std::string chosen(const std::string& asked, const std::vector<std::string>& nodes,
                   const SiteConfig& config = site()) {
  const auto fabric = fabric_of_step(asked, config, nodes);
  if (!fabric) return fabric.error().what;
  return *fabric ? (*fabric)->name : "none";
}

TEST(SiteFabric, IsTheFirstThatAllNodesHave) {
  EXPECT_EQ(chosen("auto", {"gpu01", "gpu16"}), "compute");
  EXPECT_EQ(chosen("auto", {"gpu01", "login"}), "all_nodes");
  EXPECT_EQ(chosen("all_nodes", {"gpu01"}), "all_nodes");
  EXPECT_EQ(chosen("all", {"gpu01"}), "none");
  EXPECT_EQ(chosen("fe80:0000:0000:0000/5", {"gpu01"}), "none");
  EXPECT_EQ(chosen("auto", {"gpu01"}, {}), "none");
}

TEST(SiteFabric, SaysWhichNodeLacksIt) {
  EXPECT_EQ(chosen("compute", {"gpu01", "login"}), "fabric=compute: node login of this step is not in it");
  EXPECT_THAT(chosen("storage", {"gpu01"}),
              HasSubstr("fabric=storage is none of this site's; allowed are auto"));
  SiteConfig two = site();
  two.fabrics[1].nodes = {"cpu*"};
  EXPECT_EQ(chosen("auto", {"gpu01", "cpu1"}, two),
            "the nodes of this step have no fabric in common (cpu1 is not in compute, gpu01 is not in "
            "all_nodes); take nodes of one fabric");
  EXPECT_EQ(chosen("auto", {"login"}, two), "none") << "of whom the site says nothing";
}

TEST(SiteFabric, NodesOfAListAreBounded) {
  EXPECT_EQ(nodes_in_list("n[08-10],login")->size(), 4U);
  EXPECT_EQ(nodes_in_list("n[0-99999999]").error().code, Errc::unsupported);
  EXPECT_EQ(nodes_in_list("n[").error().code, Errc::not_found);
}

TEST(SiteFabric, LeavesOtherPortsOut) {
  Inventory node = test::two_sockets_of_two();
  node.ports[0].subnet_prefix = 0xfec0000000000001;
  for (Port& port : node.ports) port.sm_lid = 1;
  node.ports[2].sm_lid = 5;
  auto options = test::one_rail();
  options.site_fabric = site().fabrics[0];
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({4}), options)), "mlx5_0:1");
  EXPECT_EQ(test::why_not(node, place(node, {}, options), "mlx5_1:1"),
            "subnet prefix fe80:0000:0000:0000, not of fabric compute");
  options.site_fabric = site().fabrics[1];
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0}), options)), "mlx5_2:1");
  options.site_fabric->sm_lid = 0;
  options.site_fabric->hca = {"mlx5_[13]"};
  EXPECT_EQ(test::ports_text(node, place(node, test::tasks_on({0, 4}), options)), "mlx5_1:1 mlx5_3:1");
}

}  // namespace
}  // namespace cib
