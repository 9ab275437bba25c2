#include "container_ib/underlay.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container_ib/ipv4.hpp"

namespace cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> texts(const std::vector<std::uint32_t>& addresses) {
  std::vector<std::string> texts;
  for (const std::uint32_t address : addresses) texts.push_back(ipv4_text(address));
  return texts;
}

TEST(Ipv4, IsReadAndWritten) {
  EXPECT_EQ(parse_ipv4("10.20.0.1"), 0x0a140001U);
  EXPECT_EQ(ipv4_text(0x0a140001), "10.20.0.1");
  EXPECT_EQ(ipv4_text(0xffffffff), "255.255.255.255");
  for (const char* text :
       {"", "10.20.0", "10.20.0.1.1", "10.20.0.256", "10.20.0.-1", "10.20.0. 1", "a.b.c.d"})
    EXPECT_FALSE(parse_ipv4(text)) << text;
  EXPECT_EQ(Ipv4OnNetwork::parse("10.20.3.1/16")->network(), 0x0a140000U);
  for (const char* text : {"10.20.0.1", "10.20.0.1/0", "10.20.0.1/31", "10.20.0.1/16/1", "10.20.0.1/x"})
    EXPECT_FALSE(Ipv4OnNetwork::parse(text)) << text;
}

TEST(Ipv4Ranges, AreAsFewAsThereAreRunsAndAreReadBack) {
  EXPECT_EQ(ipv4_ranges({}), "");
  EXPECT_EQ(ipv4_ranges({0x0a140005, 0x0a140003, 0x0a140004, 0x0a140004, 0x0a140009}),
            "10.20.0.3-10.20.0.5,10.20.0.9");
  EXPECT_EQ(ipv4_ranges({0xffffffff, 0xfffffffe}), "255.255.255.254-255.255.255.255");
  EXPECT_THAT(texts(*parse_ipv4_ranges("10.20.0.3-10.20.0.5,10.20.0.9", 4)),
              ElementsAre("10.20.0.3", "10.20.0.4", "10.20.0.5", "10.20.0.9"));
  EXPECT_THAT(texts(*parse_ipv4_ranges("255.255.255.254-255.255.255.255", 2)),
              ElementsAre("255.255.255.254", "255.255.255.255"));
  EXPECT_THAT(*parse_ipv4_ranges("", 0), IsEmpty());
  for (const char* text : {"10.20.0.3-10.20.0.5,10.20.0.9,10.20.0.11", "0.0.0.0-255.255.255.255",
                           "10.20.0.5-10.20.0.3", "10.20.0.3-", ",", "10.20.0.1-10.20.0.2-10.20.0.3"})
    EXPECT_FALSE(parse_ipv4_ranges(text, 4)) << text;
}

TEST(Underlay, NodesHaveTheAddressesOfTheirPlaces) {
  const std::vector<OverlayNodes> site = {{{"n[001-100]"}, "10.20.1.1/16"}, {{"gpu[1-4]"}, "10.20.9.1/16"}};
  const auto underlay = underlay_of_step(site, "n007", {"n007", "n100", "gpu2"});
  ASSERT_TRUE(underlay.ok()) << underlay.error().message();
  EXPECT_EQ(ipv4_text(underlay->local), "10.20.1.7");
  EXPECT_THAT(texts(underlay->peers), ElementsAre("10.20.1.100", "10.20.9.2")) << "by another entry";
}

// Every node asks the same question and has to come to the same network.
TEST(Underlay, EveryNodeOfAStepFindsTheSameNetwork) {
  const std::vector<OverlayNodes> site = {{{"n[1-2]"}, "10.20.0.1/24"},
                                          {{"n[1-3]"}, "10.21.0.1/24"},
                                          {{"n3"}, "10.20.0.9/25"}};  // not the first one's network
  for (const char* node : {"n1", "n2", "n3"}) {
    const auto underlay = underlay_of_step(site, node, {"n1", "n2", "n3"});
    ASSERT_TRUE(underlay.ok()) << underlay.error().message();
    EXPECT_THAT(ipv4_text(underlay->local), HasSubstr("10.21.0.")) << node;
    EXPECT_EQ(underlay->peers.size(), 2U);
  }
}

TEST(Underlay, AStepOnOneNodeHasNoPeers) {
  EXPECT_THAT(underlay_of_step({{{"n[1-2]"}, "10.20.0.1/24"}}, "n2", {"n2"})->peers, IsEmpty());
}

TEST(Underlay, ASitesAddressesAreWithinTheirNetwork) {
  EXPECT_TRUE(check_overlay_nodes({{"n[1-254]"}, "10.20.0.1/24"}).ok());
  EXPECT_FALSE(check_overlay_nodes({{"n[1-255]"}, "10.20.0.1/24"}).ok());
  EXPECT_FALSE(check_overlay_nodes({{"n[1-2]"}, "10.20.0.254/24"}).ok());
  EXPECT_FALSE(check_overlay_nodes({{"n1"}, "10.20.0.0/24"}).ok()) << "names the network";
  EXPECT_FALSE(check_overlay_nodes({{"n[1-"}, "10.20.0.1/24"}).ok());
  EXPECT_FALSE(check_overlay_nodes({{"n1"}, "10.20.0.1"}).ok());
  EXPECT_FALSE(check_overlay_nodes({{"n[0-4294967295]"}, "10.20.0.1/8"}).ok());
}

TEST(OverlayVni, IsOfTheJobAndTheStepWithin24Bits) {
  EXPECT_EQ(overlay_vni(17, 0), 0x1100U);
  EXPECT_NE(overlay_vni(17, 0), overlay_vni(17, 1));
  EXPECT_NE(overlay_vni(17, 0), overlay_vni(18, 0));
  EXPECT_LT(overlay_vni(0xffffffff, 0xffffffff), 1U << 24);
}

}  // namespace
}  // namespace cib
