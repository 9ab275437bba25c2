#include "core/network/host_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container_ib/address_pool.hpp"
#include "container_ib/node_names.hpp"

namespace cib {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

std::optional<std::uint64_t> place(const std::vector<std::string>& lists, std::string_view name) {
  return place_in_host_lists(lists, name);
}

std::vector<std::string> names_of(const HostList& list) {
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < list.size(); ++i) names.push_back(list.name_at(i));
  return names;
}

// ---- what Slurm's host lists name
// -------------------------------------------------------------------------------

// The names as `scontrol show hostnames` of Slurm prints them, which agrees about the order for up to two
// pairs of brackets.
TEST(HostLists, NameWhatSlurmDoes) {
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"n0", {"n0"}},
      {"login,n[1-3]", {"login", "n1", "n2", "n3"}},
      {"n[001-003,010]", {"n001", "n002", "n003", "n010"}},
      {"n[9-11]", {"n9", "n10", "n11"}},
      {"n[09-11]", {"n09", "n10", "n11"}},
      {"n[8,3]", {"n8", "n3"}},
      {"rack[1-2]node[01-03]",
       {"rack1node01", "rack1node02", "rack1node03", "rack2node01", "rack2node02", "rack2node03"}},
      {"a[1-2]b[3-4]c", {"a1b3c", "a1b4c", "a2b3c", "a2b4c"}},
      {"[1-2]", {"1", "2"}},
      {"x[1-2][08,9]", {"x108", "x19", "x208", "x29"}},
      {"a[1]b[2]c[3]d[4]", {"a1b2c3d4"}},
      {"r[0-1]u[0-1]n[0-1],z",
       {"r0u0n0", "r0u0n1", "r0u1n0", "r0u1n1", "r1u0n0", "r1u0n1", "r1u1n0", "r1u1n1", "z"}},
  };
  for (const auto& [text, expected] : cases) {
    const auto list = HostList::parse(text);
    ASSERT_TRUE(list) << text;
    EXPECT_THAT(names_of(*list), ElementsAreArray(expected)) << text;
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(list->place_of(expected[i]), i) << text << ' ' << expected[i];
  }
}

TEST(HostLists, TellTheirNamesPlaces) {
  const std::vector<std::string> lists = {"login,n[001-003,010]", "gpu[8-12]-ib", "r[1-2]n[01-10]"};
  EXPECT_EQ(place(lists, "login"), 0U);
  EXPECT_EQ(place(lists, "n001"), 1U);
  EXPECT_EQ(place(lists, "n010"), 4U);
  EXPECT_EQ(place(lists, "gpu8-ib"), 5U);
  EXPECT_EQ(place(lists, "gpu12-ib"), 9U);
  EXPECT_EQ(place(lists, "r1n01"), 10U);
  EXPECT_EQ(place(lists, "r2n10"), 29U);
}

TEST(HostLists, KnowNoOtherNames) {
  const std::vector<std::string> lists = {"n[001-003]", "m[8-12]", "r[1-2]n[01-10]"};
  for (const char* name : {"n1", "n0001", "n004", "n", "", "m08", "m13", "m8x", "xm8", "n-1", "n+1", "r3n01",
                           "r1n1", "r1n11", "r1n", "rn01", "r1n01x", "r12n01"})
    EXPECT_FALSE(place(lists, name)) << name;
}

// Of a name that can be split in several ways each place is tried.
TEST(HostLists, FindNamesWhoseNumbersTouch) {
  const auto list = HostList::parse("n[1-20][1-20]");
  ASSERT_TRUE(list);
  for (std::uint64_t i = 0; i < list->size(); ++i) {
    const auto found = list->place_of(list->name_at(i));
    ASSERT_TRUE(found) << list->name_at(i);
    EXPECT_EQ(list->name_at(*found), list->name_at(i));
  }
  EXPECT_FALSE(list->place_of("n2121"));
}

TEST(HostLists, CanBeLong) {
  EXPECT_EQ(place({"n[1-999999999]", "x"}, "n999999999"), 999'999'998U);
  EXPECT_EQ(place({"n[1-999999999]", "x"}, "x"), 999'999'999U);
  EXPECT_EQ(place({"n[5]", "m[7-7]x"}, "m7x"), 1U);
  const auto list = HostList::parse("r[0-999]n[0-999999]");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->name_at(999'999'999), "r999n999999") << "one at a time, whatever their number";
}

TEST(HostLists, ThatCannotBeReadHaveNone) {
  std::string many = "n";
  for (int i = 0; i < 5; ++i) many += "[1]";
  const std::string cases[] = {"",
                               "n[1-2",
                               "n1-2]",
                               "n[]",
                               "n[2-1]",
                               "n[a-b]",
                               "a,,b",
                               ",a",
                               "a,",
                               "n[1-2-3]",
                               "n[1-99999999999]",
                               "n[1-4294967295]",
                               "n[0000000000001]",
                               "a b",
                               "n[[1-2]]",
                               "n[1-2]]",
                               "n[1-2][",
                               "n[1,]",
                               "n[-1]",
                               "n[1- 2]",
                               "n[+1-2]",
                               "n[1-2]m[3-2]",
                               many,
                               "n[1-999999999][1-999999999]",
                               "a[0-99999]b[0-99999]c[0-99999]d[0-99999]",
                               "a[0-999999999],b[0-999999999],c[0-999999999],d[0-999999999],e[0-999999999]"};
  for (const std::string& list : cases) EXPECT_FALSE(place({list, "x"}, "x")) << list;
}

// ---- the names of nodes in the site's file
// ----------------------------------------------------------------------

TEST(NodeNames, AreHostListsGlobsAndBoth) {
  struct Case {
    const char* text;
    std::vector<std::string> nodes, others;
  };
  const Case cases[] = {
      {"gpu[01-16]", {"gpu01", "gpu16"}, {"gpu1", "gpu0", "gpu17", "gpu001", "gpu", "gpu01x"}},
      {"gpu[0-3]", {"gpu0", "gpu3"}, {"gpu4", "gpu03", "gpu"}},
      {"gpu[0-39]", {"gpu0", "gpu10", "gpu39"}, {"gpu40", "gpu00"}},  // as a glob this was 0 to 3 and 9
      {"gpu[1,3]", {"gpu1", "gpu3"}, {"gpu2", "gpu,"}},
      {"rack[1-2]node[01-16]", {"rack1node01", "rack2node16"}, {"rack3node01", "rack1node1"}},
      {"login,n[1-2]", {"login", "n1", "n2"}, {"n3", "login,n1", "logi"}},
      {"n[1-20][1-20]", {"n11", "n2020", "n115"}, {"n2121", "n1"}},
      {"gpu*", {"gpu", "gpu1", "gpu-a.site"}, {"gp", "xgpu1"}},
      {"gpu?", {"gpu1", "gpux"}, {"gpu", "gpu12"}},
      {"n[ab]", {"na", "nb"}, {"nc", "n", "nab"}},
      {"n[!ab]", {"nc", "n1"}, {"na", "n"}},
      {"n[a-f0-9]", {"na", "n7"}, {"ng", "n10"}},
      {"*", {"", "anything"}, {}},
      {"rack[01-16]-*", {"rack01-", "rack16-n3"}, {"rack1-a", "rack17-a", "rack01"}},
      {"*[08-10]", {"n08", "gpu-10", "09"}, {"n8", "n11"}},
      {"?[1-2]x*[3-4]", {"a1x3", "b2xyz4"}, {"a3x3", "a1x5", "1x3"}},
      {"gpu*,n[1-2]", {"gpu7", "n2"}, {"n3"}},
  };
  for (const Case& of : cases) {
    EXPECT_TRUE(check_node_names(of.text).ok()) << of.text;
    for (const auto& node : of.nodes) EXPECT_TRUE(names_node({of.text}, node)) << of.text << ' ' << node;
    for (const auto& node : of.others) EXPECT_FALSE(names_node({of.text}, node)) << of.text << ' ' << node;
  }
  EXPECT_TRUE(names_node({"login", "gpu*"}, "gpu1")) << "any of the texts";
  EXPECT_FALSE(names_node({}, "gpu1"));
}

TEST(NodeNames, ThatAreNeitherAreRefusedAndMatchNothing) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "a name is empty"},
      {"a,,b", "a name is empty"},
      {"gpu[01-16", "a [ without its ]"},
      {"gpu01-16]", "']' is in no name of a node"},
      {"gpu[]", "'' are no numbers"},
      {"gpu[16-01]", "'16-01' are no numbers such as 01-16,20 in ascending ranges"},
      {"gpu[1-]", "'1-' are no numbers"},
      {"gpu[1,,2]", "'1,,2' are no numbers"},
      {"gpu[0-99999999999]", "are no numbers"},
      {"gpu[!]", "'!' is no set of characters"},
      {"gpu[a,b]*", "'a,b' is no set of characters"},
      {"gpu{1,2}", "'{' is in no name of a node"},
      {"gpu 1", "' ' is in no name"},
      {"gpu(1-3)", "'(' is in no name"},
      {std::string("gpu\0", 4), "'\\x00' is in no name"},
  };
  for (const auto& [text, why] : cases) {
    const auto status = check_node_names(text);
    ASSERT_FALSE(status.ok()) << text;
    EXPECT_THAT(status.error().what, HasSubstr(why)) << text;
    EXPECT_FALSE(names_node({text}, "gpu1")) << text;
    EXPECT_FALSE(names_node({text}, text)) << text;
  }
}

// What would take a matcher that tries each way apart a year.
TEST(NodeNames, CostLittleWhateverTheyAre) {
  std::string stars, numbers;
  for (int i = 0; i < 100; ++i) {
    stars += "*a";
    numbers += "[0-999999999]";
  }
  const std::string name(255, 'a'), digits(254, '1');
  EXPECT_TRUE(names_node({stars}, name));
  EXPECT_FALSE(names_node({stars + "b"}, name));
  EXPECT_TRUE(names_node({numbers}, digits));
  EXPECT_FALSE(names_node({numbers + "x"}, digits));
  EXPECT_FALSE(names_node({"*"}, std::string(256, 'a'))) << "no node is called so";
}

TEST(NodeNames, OfEveryNode) {
  for (const char* text : {"*", "**", "n1,*"}) EXPECT_TRUE(names_every_node({text})) << text;
  for (const char* text : {"n*", "?*", "", "[0-9]*"}) EXPECT_FALSE(names_every_node({text})) << text;
}

}  // namespace
}  // namespace cib
