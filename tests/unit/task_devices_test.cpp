#include "container_ib/task_devices.hpp"

#include <gtest/gtest.h>

namespace cib {
namespace {

Inventory with_gpus() {
  Inventory node;
  for (const std::uint8_t bus : std::initializer_list<std::uint8_t>{0x90, 0x10, 0x50})
    node.gpus.push_back({.pci = {0, bus, 0, 0}, .numa = {}, .pci_path = {}, .name = {}});
  return node;
}

TEST(VisibleGpus, AreIndexesInPciOrder) {
  const auto gpus = visible_gpus(with_gpus(), "2,0");
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_EQ(gpus[0].bus, 0x90);
  EXPECT_EQ(gpus[1].bus, 0x10);
}

TEST(VisibleGpus, WhatIsNoIndexMovesNoTask) {
  for (const char* text : {"", ",", "GPU-1234", "-1", "3", "1x", "NoDevFiles", "99999999999999999999"})
    EXPECT_TRUE(visible_gpus(with_gpus(), text).empty()) << text;
}

TEST(NodeWideGpus, AreToldFromThoseOfACgroup) {
  EXPECT_EQ(node_wide_gpus("2,3", ""), "2,3") << "an older Slurm, or no gres";
  EXPECT_EQ(node_wide_gpus("2,3", "2,3"), "2,3");
  EXPECT_EQ(node_wide_gpus("0,1", "2,3"), "2,3") << "numbered from 0 within the cgroup";
  EXPECT_EQ(node_wide_gpus("3", "2,3"), "3") << "one of the step's";
  EXPECT_EQ(node_wide_gpus("0", "2,3"), "") << "either of them";
  EXPECT_EQ(node_wide_gpus("", "2,3"), "") << "the task was given none";
}

TEST(SplitList, LeavesEmptyWordsOut) {
  EXPECT_EQ(split_list(",a,,b,"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(split_list("").empty());
}

}  // namespace
}  // namespace cib
