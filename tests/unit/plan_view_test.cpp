// What the pictures of a plan say, apart from how they look.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/output.hpp"
#include "cli/plan_model.hpp"
#include "cli/plan_svg.hpp"
#include "cli/plan_text.hpp"
#include "cli/svg.hpp"
#include "cli/table.hpp"
#include "container_ib/text.hpp"
#include "support/node_builder.hpp"

namespace cib::cli {
namespace {

using test::port;
using test::tasks_on;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Shown {
  Inventory node;
  std::vector<LocalTask> tasks;

  PlanModel model(const PlacementOptions& options = test::one_rail()) const {
    const Assignment assignment = place(node, tasks, options);
    return make_compared_model(node, tasks, options, assignment);
  }
};

Shown two_sockets() {
  Shown shown{test::numa_node(2), tasks_on({0, 1, 4})};
  shown.node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:86:00.0", {1}),
                      port("mlx5_2", "0000:99:00.0", {1})};
  shown.node.ports[2].state = PortState::down;
  shown.node.gpus = {{PciAddress{0, 0x87, 0, 0}, {1}, {"host 0:80"}, "nvml0"},
                     {PciAddress{0, 0x17, 0, 0}, {0}, {"host 0:10"}, ""}};
  return shown;
}

Shown large() {
  Shown shown{test::numa_node(8, 2), {}};
  for (unsigned i = 0; i < 32; ++i) {
    shown.node.ports.push_back(port("mlx5_" + std::to_string(i), "0000:00:00.0", {i % 16}));
    shown.node.ports.back().pci->bus = static_cast<std::uint8_t>(i);
    shown.node.ports.back().lid += i;
  }
  for (unsigned i = 0; i < 64; ++i) shown.tasks.push_back(test::task(i, test::cpus(i, i)));
  return shown;
}

TEST(Ranges, AreShortAndExact) {
  EXPECT_EQ(ranges({}), "");
  EXPECT_EQ(ranges({7}), "7");
  EXPECT_EQ(ranges({0, 1, 2, 3}), "0-3");
  EXPECT_EQ(ranges({0, 1, 8, 48, 49}), "0-1,8,48-49");
  EXPECT_EQ(ranges({0, 2, 4, 6, 8}), "0-8:2");
  EXPECT_EQ(ranges({0, 2, 4}), "0,2,4");
  EXPECT_EQ(ranges({0, 4, 5, 6}), "0,4-6");
}

TEST(Shortened, KeepsBothEnds) {
  EXPECT_EQ(shortened("mlx5_0:1", 8), "mlx5_0:1");
  EXPECT_EQ(shortened("mlx5_with_a_long_name_7:1", 12), "mlx5_..e_7:1");
  EXPECT_EQ(shortened("abcdef", 2), "ab");
  EXPECT_EQ(shortened("abcdef", 0), "");
}

TEST(PlanModel, HasEachThingWhereItIs) {
  const auto model = two_sockets().model();
  ASSERT_EQ(model.packages.size(), 2U);
  EXPECT_EQ(model.summary, "2 packages, 2 NUMA nodes, 8 cores, 2 GPUs, 2 ports for MPI of 3, 3 tasks");
  const auto& first = model.packages[0].numa_nodes[0];
  EXPECT_THAT(first.tasks, ElementsAre(0, 1));
  EXPECT_THAT(first.ports, ElementsAre(0));
  EXPECT_THAT(first.gpus, ElementsAre(0)) << "in PCI order, not in that of the inventory";
  EXPECT_EQ(model.gpus[0].pci, "0000:17:00.0");
  EXPECT_THAT(model.tasks[2].ports, ElementsAre(1));
  EXPECT_THAT(model.tasks[2].to_port, ElementsAre(Nearness::other_package, Nearness::numa_node));
  EXPECT_EQ(model.ports[0].tasks, 2U);
  EXPECT_DOUBLE_EQ(model.ports[0].fill, 1);
  EXPECT_DOUBLE_EQ(model.ports[1].fill, 0.5);
  ASSERT_EQ(model.left_out.size(), 1U);
  EXPECT_EQ(model.left_out[0].name, "mlx5_2:1");
  EXPECT_EQ(model.left_out[0].why_not, "state DOWN");
}

TEST(PlanModel, DevicesOfOneConnectorShareItsFill) {
  auto shown = two_sockets();
  shown.node.ports[2] = port("mlx5_2", "0000:19:00.0", {0});
  shown.node.ports[0].sys_image_guid = shown.node.ports[2].sys_image_guid = 0x506b4b0300abcdef;
  const auto model = shown.model();
  ASSERT_EQ(model.ports.size(), 3U);
  EXPECT_EQ(model.ports[0].tasks + model.ports[1].tasks, 2U);
  EXPECT_EQ(model.ports[1].connector_tasks, 2U);
  EXPECT_DOUBLE_EQ(model.ports[1].fill, 1);
}

TEST(PlanModel, WhatIsNowhereIsOfUnknownLocality) {
  auto shown = two_sockets();
  shown.node.ports[0].numa = {};
  shown.tasks[1].mask = {};
  const auto model = shown.model();
  ASSERT_EQ(model.packages.size(), 3U);
  EXPECT_EQ(model.packages[2].name, "unknown locality");
  EXPECT_THAT(model.packages[2].numa_nodes[0].ports, ElementsAre(0));
  EXPECT_THAT(model.packages[2].numa_nodes[0].tasks, ElementsAre(1));
  EXPECT_THAT(model.tasks[1].ports, ElementsAre(0, 1)) << "no mask: the node-wide list";
}

TEST(PlanText, ShowsWhoUsesWhat) {
  const std::string text = plan_text(two_sockets().model(), 100);
  EXPECT_THAT(text, HasSubstr("`- NUMA 0  CPUs 0-3  P0  G0  T0-1\n"));
  EXPECT_THAT(text, HasSubstr("T0     0     0     mlx5_0:1  1.00      [NODE]  SYS\n"));
  EXPECT_THAT(text, HasSubstr("G1                                     SYS     NODE\n"));
  EXPECT_THAT(text, HasSubstr("not for MPI: mlx5_2:1: state DOWN\n"));
}

TEST(PlanText, AWideMatrixGoesOnBelow) {
  const auto model = large().model();
  for (const unsigned width : {0U, 10U, 60U, 80U, 100U, 1000U}) {
    const std::string text = plan_text(model, width);
    std::vector<std::string> columns;
    for (const auto line : split(text, '\n')) {
      // The summary, the headings' own columns and the explanation of "fill" take what they take.
      if (width >= 80 && !line.starts_with("fill  ")) {
        EXPECT_LE(line.size(), width) << line;
      }
      if (!line.starts_with("     ")) continue;
      for (const auto word : split(line, ' '))
        if (word.starts_with('P') && word != "PORT" && word != "PCI") columns.emplace_back(word);
    }
    std::vector<std::string> ports;
    for (const auto& shown : model.ports) ports.push_back(shown.id);
    EXPECT_EQ(columns, ports) << "each once and in order, width " << width;
  }
}

TEST(PlanText, OfANodeWithoutPortsSaysSo) {
  Shown shown{test::numa_node(1), tasks_on({0})};
  const std::string text = plan_text(shown.model(), 80);
  EXPECT_THAT(text, HasSubstr("T0     0     0     none"));
  EXPECT_THAT(text, Not(HasSubstr("[")));
}

TEST(ComparisonText, PutsTheRulesSideBySide) {
  Shown shown{test::numa_node(1), tasks_on({0, 1, 2, 3})};
  shown.node.ports = {port("mlx5_0", "0000:18:00.0", {0}), port("mlx5_1", "0000:19:00.0", {0})};
  const std::string text = comparison_text(shown.model());
  EXPECT_THAT(text, HasSubstr("container-ib   1.00      1.00      0%             2 of 2      2 2\n"));
  EXPECT_THAT(text, HasSubstr("nearest (UCX)  2.00      1.00      0%             1 of 2      4 0\n"));
  EXPECT_THAT(comparison_text(large().model()), Not(HasSubstr("TASKS ON EACH")));
}

TEST(Svg, EscapesEverythingForeign) {
  EXPECT_EQ(xml_text("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(xml_text(std::string("\x01\xff", 2)), "\\x01\\xff") << "XML 1.0 has no such characters";
  auto shown = two_sockets();
  shown.node.ports[2].device = "</text><script>";
  shown.node.gpus[0].name = "<&>";
  EXPECT_THAT(plan_svg(shown.model()), Not(HasSubstr("<script")));
}

TEST(Table, ACellSteersNoTerminalAndBeginsNoRow) {
  EXPECT_EQ(format_table({{"a\x1b[2J", "b\nc"}, {"d", "e"}}), "a\\x1b[2J  b\\x0ac\nd         e\n");
}

TEST(Output, KeepsItsLinesAndNoControlCharacters) {
  EXPECT_EQ(without_controls("a\n\xc2\x9b b\r\n\n"), "a\n\\xc2\\x9b b\\x0d\n\n");
  EXPECT_EQ(without_controls("a"), "a");
  EXPECT_EQ(without_controls(""), "");
}

TEST(Svg, OfVeryManyTasksEnds) {
  Shown shown = large();
  shown.tasks.clear();
  for (unsigned i = 0; i < 2000; ++i) shown.tasks.push_back(test::task(i, test::cpus(i % 64, i % 64)));
  EXPECT_THAT(plan_svg(shown.model()), HasSubstr("and 1488 more"));
}

}  // namespace
}  // namespace cib::cli
