#include "container_ib/task_devices.hpp"

#include <gtest/gtest.h>

namespace cib {
namespace {

Inventory with_gpus() {
  Inventory node;
  for (const std::uint8_t bus : std::initializer_list<std::uint8_t>{0x90, 0x10, 0x50})
    node.gpus.push_back({.pci = {0, bus, 0, 0}, .numa = {}, .pci_path = {}, .name = {}, .uuid = {}});
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

TEST(VisibleGpus, MayBeUuidsOrAll) {
  Inventory node = with_gpus();
  node.gpus[0].uuid = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6";
  node.gpus[1].uuid = "GPU-8932aaaa-0000-0000-0000-000000000000";
  const auto buses = [&](const char* text) {
    std::vector<unsigned> list;
    for (const PciAddress& pci : visible_gpus(node, text)) list.push_back(pci.bus);
    return list;
  };
  using Buses = std::vector<unsigned>;
  EXPECT_EQ(buses("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,0"), (Buses{0x90, 0x10}));
  EXPECT_EQ(buses("GPU-8932a"), (Buses{0x10})) << "cut off, and still one";
  EXPECT_EQ(buses("GPU-8932"), Buses{}) << "two";
  EXPECT_EQ(buses("MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/3/0"), (Buses{0x90}));
  EXPECT_EQ(buses("MIG-3eb87630-93d5-b2b6-b8ff-9b359caf4ee2"), Buses{}) << "of which GPU, nobody knows";
  EXPECT_EQ(buses("all"), (Buses{0x10, 0x50, 0x90}));
  EXPECT_EQ(buses("1.0,1.1"), (Buses{0x50})) << "tiles of one device";
}

TEST(NodeWideGpus, UuidsStayAndInstancesAreNoGpus) {
  EXPECT_EQ(node_wide_gpus("MIG-3eb87630", "3"), "MIG-3eb87630") << "the fourth instance, not the fourth GPU";
  EXPECT_EQ(node_wide_gpus("GPU-1,GPU-2", "2,3"), "GPU-1,GPU-2");
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
