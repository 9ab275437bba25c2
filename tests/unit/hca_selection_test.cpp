#include "container_ib/hca_selection.hpp"

#include <gtest/gtest.h>

#include "support/node_builder.hpp"

namespace cib {
namespace {

// "mlx5_0:1 mlx5_3:1": which of four ports a selection matches.
std::string matched(const std::string& text) {
  Inventory node = test::two_sockets_of_two();
  node.ports[1].netdevs = {"ib1"};
  node.ports[2].node_guid = 0x506b4b03003ceee8;
  node.ports[3].port_guid = 0x506b4b03003ceee9;
  node.ports[3].number = 2;
  const auto selection = HcaSelection::parse(text);
  if (!selection) return "refused";
  std::string names;
  for (const Port& port : node.ports)
    if (selection->matches(port)) names += (names.empty() ? "" : " ") + port.name();
  return names;
}

TEST(HcaSelection, TakesListsExclusionsPortsAddressesGuidsAndNetworkDevices) {
  EXPECT_EQ(matched("*"), "mlx5_0:1 mlx5_1:1 mlx5_2:1 mlx5_3:2");
  EXPECT_EQ(matched("mlx5_[0-2]+^mlx5_1"), "mlx5_0:1 mlx5_2:1");
  EXPECT_EQ(matched("^mlx5_1+mlx5_[0-2]"), "mlx5_0:1 mlx5_2:1") << "wherever it stands";
  EXPECT_EQ(matched("^mlx5_1+^mlx5_3:2"), "mlx5_0:1 mlx5_2:1") << "from every port";
  EXPECT_EQ(matched("^mlx5_3:1"), "mlx5_0:1 mlx5_1:1 mlx5_2:1 mlx5_3:2");
  EXPECT_EQ(matched("mlx5_*:2"), "mlx5_3:2");
  EXPECT_EQ(matched("mlx5_[!01]"), "mlx5_2:1 mlx5_3:2");
  EXPECT_EQ(matched("0000:19:00.0+86:00.0"), "mlx5_1:1 mlx5_2:1");
  EXPECT_EQ(matched("506b:4b03:003c:eee8"), "mlx5_2:1");
  EXPECT_EQ(matched("0x506b4b03003ceee9"), "mlx5_3:2");
  EXPECT_EQ(matched("0x0000000000000000"), "") << "of those without one";
  EXPECT_EQ(matched("ib?"), "mlx5_1:1");
}

TEST(HcaSelection, RefusesWhatCouldMatchNothing) {
  for (const char* text : {"", "+", "mlx5_0+", "^", "mlx5_0,mlx5_1", "!mlx5_0", "mlx5_[01", "mlx5_0]",
                           "mlx5 0", "a:b:c", "0000:19:00.9", "^^mlx5_0", "mlx5_0/1", "mlx5_\n"})
    EXPECT_EQ(matched(text), "refused") << text;
  EXPECT_EQ(matched(std::string(513, 'x')), "refused");
  EXPECT_FALSE(HcaSelection::parse(std::vector<std::string>{"mlx5_0", "a,b"}));
}

TEST(HcaSelection, AnEmptyListMeansNone) {
  const auto none = HcaSelection::parse(std::vector<std::string>{});
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->matches(test::port("mlx5_0", "0000:18:00.0", {0})));
}

TEST(HcaSelection, NamesOnlyWhatItSaysInFull) {
  const Port port = test::port("mlx5_0", "0000:18:00.0", {0});
  for (const char* text : {"mlx5_0", "mlx5_0:1", "18:00.0", "*+mlx5_0"})
    EXPECT_TRUE(HcaSelection::parse(text)->names(port)) << text;
  for (const char* text : {"*", "mlx5_?", "mlx5_[0]", "^mlx5_1", "mlx5_0+^mlx5_*"})
    EXPECT_FALSE(HcaSelection::parse(text)->names(port)) << text;
}

}  // namespace
}  // namespace cib
