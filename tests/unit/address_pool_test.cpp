#include "container_ib/address_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace cib {
namespace {

using testing::HasSubstr;

// The whole point: no two interfaces of a cluster ever have the same address, and nobody asks anybody.
TEST(AddressPool, TenThousandNodesShareNoAddress) {
  const AddressPolicy policy{.pool = "10.32.0.0/12", .nodes = {"n[00001-10000]"}, .per_node = 64};
  std::set<std::string> addresses;
  for (unsigned node = 1; node <= 10'000; ++node) {
    std::string name = std::to_string(node);
    name = "n" + std::string(5 - name.size(), '0') + name;
    const auto pool = AddressPool::of_node(policy, name);
    ASSERT_TRUE(pool.ok()) << pool.error().message();
    ASSERT_EQ(pool->size(), 64U);
    for (unsigned slot = 0; slot < pool->size(); ++slot) addresses.insert(pool->address(slot));
  }
  EXPECT_EQ(addresses.size(), 640'000U);
  EXPECT_TRUE(addresses.contains("10.32.0.1/12")) << "the first is not the network's own";
  EXPECT_FALSE(addresses.contains("10.47.255.255/12")) << "nor the last everybody's";
}

TEST(AddressPool, UsesAllOfASmallOne) {
  const AddressPolicy policy{.pool = "192.168.7.0/30", .nodes = {"a,b"}, .per_node = 1};
  EXPECT_EQ(AddressPool::of_node(policy, "a")->address(0), "192.168.7.1/30");
  EXPECT_EQ(AddressPool::of_node(policy, "b")->address(0), "192.168.7.2/30");
}

TEST(AddressPool, FitsToTheLastAddress) {
  const auto fits = [](const char* pool, const char* nodes, unsigned per_node) {
    return AddressPool::of_node({.pool = pool, .nodes = {nodes}, .per_node = per_node}, "a").ok();
  };
  EXPECT_TRUE(fits("10.0.0.0/24", "a,b", 127));
  EXPECT_FALSE(fits("10.0.0.0/24", "a,b", 128));
  EXPECT_TRUE(fits("128.0.0.0/1", "a", 1));
  EXPECT_FALSE(fits("0.0.0.0/0", "a", 1));
  EXPECT_TRUE(fits("10.0.0.4/30", "a", 2));
  EXPECT_FALSE(fits("10.0.0.4/31", "a", 1));
  EXPECT_FALSE(fits("10.0.0.2/30", "a", 1)) << "an address in it, not the prefix";
  EXPECT_EQ(AddressPool::of_node({.pool = "10.1.2.0/24", .nodes = {"a"}, .per_node = 3}, "a")->range(),
            "10.1.2.1-10.1.2.3");
}

TEST(AddressPool, WithoutAPoolNothingIsChecked) {
  EXPECT_TRUE(check_addresses({}).ok());
  EXPECT_THAT(check_addresses({.pool = "10.0.0.0/8", .nodes = {}}).error().what,
              HasSubstr("addresses.nodes: needed"));
}

TEST(AddressPool, TellsTheAddressesOfOtherNodes) {
  const AddressPolicy policy{.pool = "10.40.0.0/16", .nodes = {"login,n[08-11]"}, .per_node = 16};
  const auto peers = addresses_of_nodes(policy, "n[09-10],login", 4095);
  ASSERT_TRUE(peers.ok()) << peers.error().message();
  EXPECT_EQ(*peers, "n09=10.40.0.33-10.40.0.48,n10=10.40.0.49-10.40.0.64,login=10.40.0.1-10.40.0.16");
  EXPECT_EQ(AddressPool::of_node(policy, "n09")->address(0), "10.40.0.33/16") << "the same ones";
  EXPECT_EQ(AddressPool::of_node(policy, "n09")->address(15), "10.40.0.48/16");
}

TEST(AddressPool, TellsAllOfThemOrNone) {
  const AddressPolicy policy{.pool = "10.32.0.0/12", .nodes = {"n[00001-10000]"}, .per_node = 64};
  const auto whole = addresses_of_nodes(policy, "n[00001-00002]", 57);
  ASSERT_TRUE(whole.ok()) << whole.error().message();
  EXPECT_EQ(whole->size(), 57U);
  for (const char* list : {"n[00001-00003]", "n[00001-10000]", "n[0-999999999]"})
    EXPECT_EQ(addresses_of_nodes(policy, list, 57).error().code, Errc::unsupported) << list;
  for (const char* list : {"n[00001", "n00001,m1"})
    EXPECT_EQ(addresses_of_nodes(policy, list, 57).error().code, Errc::not_found) << list;
}

TEST(AddressPool, SaysWhatIsWrongWithThePolicy) {
  const auto why = [](const AddressPolicy& policy, const std::string& node) {
    const auto pool = AddressPool::of_node(policy, node);
    return pool.ok() ? "ok" : pool.error().what;
  };
  EXPECT_THAT(why({.pool = "10.0.0.0/33", .nodes = {"a"}}, "a"), HasSubstr("no IPv4 prefix"));
  EXPECT_THAT(why({.pool = "10.0.0/8", .nodes = {"a"}}, "a"), HasSubstr("no IPv4 prefix"));
  EXPECT_THAT(why({.pool = "10.0.0.300/8", .nodes = {"a"}}, "a"), HasSubstr("no IPv4 prefix"));
  EXPECT_THAT(why({.pool = "10.0.0.0/24", .nodes = {"a,b,c,d"}}, "a"), HasSubstr("254 addresses"));
  EXPECT_THAT(why({.pool = "10.0.0.0/8", .nodes = {"a"}}, "b"), HasSubstr("node b is not in it"));
}

}  // namespace
}  // namespace cib
