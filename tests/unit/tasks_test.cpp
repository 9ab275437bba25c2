#include "cli/tasks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/node_builder.hpp"

namespace cib::cli {
namespace {

std::string masks(const Result<std::vector<LocalTask>>& tasks) {
  if (!tasks) return tasks.error().what;
  std::string text;
  for (const auto& task : *tasks) text += (text.empty() ? "" : " ") + task.mask.hex();
  return text;
}

TEST(Tasks, MasksAreHexadecimalWords) {
  EXPECT_EQ(masks(tasks_from_masks("0x0f,0xf0")), "0xf 0xf0");
  EXPECT_EQ(masks(tasks_from_masks("ff0000000000000000")), "0xff0000000000000000");
  EXPECT_EQ(tasks_from_masks("0x1,0x2").value()[1].id, 1U);
  for (const char* text : {"", "0x1,", "x", "0x1;0x2"}) EXPECT_FALSE(tasks_from_masks(text).ok()) << text;
}

TEST(Tasks, DistributionsGoOverCoresAndWrap) {
  // Two NUMA nodes with cores 0-3 and 4-7.
  const Inventory node = test::numa_node(2);
  const auto distributed = [&](unsigned n, const char* how) {
    return masks(tasks_from_distribution(node, n, how));
  };
  EXPECT_EQ(distributed(2, "block"), "0xf 0xf0");
  EXPECT_EQ(distributed(3, "block"), "0x3 0x1c 0xe0");
  EXPECT_EQ(distributed(10, "block"), "0x1 0x1 0x2 0x4 0x8 0x10 0x10 0x20 0x40 0x80");
  EXPECT_EQ(distributed(5, "cyclic"), "0x1 0x10 0x2 0x20 0x4");
  EXPECT_EQ(distributed(9, "cyclic"), "0x1 0x10 0x2 0x20 0x4 0x40 0x8 0x80 0x1");
  EXPECT_EQ(distributed(3, "pack"), "0x1 0x2 0x4");
  EXPECT_EQ(distributed(9, "pack"), "0x1 0x2 0x4 0x8 0x10 0x20 0x40 0x80 0x1");
  EXPECT_FALSE(tasks_from_distribution({}, 1, "block").ok());
}

TEST(Tasks, GpusAreGivenByTaskAndAddress) {
  auto tasks = tasks_from_masks("0x1,0x2").value();
  ASSERT_TRUE(add_gpus("0:0000:07:00.0,1:0b:00.0,0:0001:08:00.0", tasks).ok());
  ASSERT_EQ(tasks[0].gpus.size(), 2U);
  EXPECT_EQ(tasks[0].gpus[1].text(), "0001:08:00.0");
  EXPECT_EQ(tasks[1].gpus[0].text(), "0000:0b:00.0");
  for (const char* text : {"2:0000:07:00.0", "x:0000:07:00.0", "0", "0:", "0:gpu0", "-1:07:00.0", ","})
    EXPECT_FALSE(add_gpus(text, tasks).ok()) << text;
}

TEST(Guid, ReadsWhatSysfsWritesAndNothingElse) {
  EXPECT_EQ(parse_guid("506b:4b03:003c:eee8"), 0x506b4b03003ceee8U);
  EXPECT_EQ(guid_text(0x506b4b03003ceee8), "506b:4b03:003c:eee8");
  for (const char* text :
       {"", "506b:4b03:003c:eee", "506b:4b03:003c:eee80", "506b:4b03:003ceee8:", "506b4b03003ceee8",
        "506b:4b03:03c:eee80", "506b:4b03:003c:eeeg", "506b:4b03:003c.eee8", "0506b:4b3:003c:eee8"})
    EXPECT_EQ(parse_guid(text), std::nullopt) << text;
}

TEST(PciAddress, ReadsTheFormsThatToolsPrint) {
  for (const char* text : {"0000:21:00.0", "21:00.0", "00000000:21:00.0"})
    EXPECT_EQ(PciAddress::parse(text).value().text(), "0000:21:00.0") << text;
  EXPECT_EQ(PciAddress::parse("10000:e1:1f.7").value().text(), "10000:e1:1f.7");
  EXPECT_EQ(PciAddress::parse("ffffffff:ff:0.1").value().text(), "ffffffff:ff:00.1");
  for (const char* text : {"", "0000:21:00", "0000:21:20.0", "0000:21:00.8", "0000:100:00.0", "0000:21:00.0x",
                           "x:21:00.0", "0:0:0:0.0", "0000:21:-1.0", "000000000:21:00.0"})
    EXPECT_FALSE(PciAddress::parse(text).ok()) << text;
}

}  // namespace
}  // namespace cib::cli
