#include "container_ib/journal.hpp"

#include <gtest/gtest.h>

namespace cib {
namespace {

Record sample() { return {7, Mark::intent, DevicesMounted{3, "a b=c%\n\x01\xff"}}; }

TEST(Journal, ARecordsTextIsPrintable) {
  EXPECT_EQ(record_text({7, Mark::intent, Claim{"a b\x1b\n", ""}}), "7 intent claim name=a%20b%1b%0a owner=");
}

TEST(Journal, WhatWasWrittenIsRead) {
  const auto records = decode_journal(encode_record(sample()) + encode_record(sample()));
  ASSERT_TRUE(records.ok());
  ASSERT_EQ(records->size(), 2U);
  EXPECT_EQ(records->at(1).seq, 7U);
  EXPECT_EQ(records->at(1).mark, Mark::intent);
  const auto* read = get_if<DevicesMounted>(records->at(1));
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->task, 3U);
  EXPECT_EQ(read->ports, "a b=c%\n\x01\xff");
}

// A journal outlives an update of the package, and people read it.
TEST(Journal, IsWrittenAsItAlwaysWas) {
  EXPECT_EQ(encode_record({12, Mark::done, Claim{"azAZ09_-.,:/*@+", "` [{/:%\x7f"}}),
            "CIB1 e80dc632 12 done claim name=azAZ09_-.,:/*@+ owner=%60%20%5b%7b/:%25%7f\n");
  Opened open;
  open.stepd = {"1", "2"};
  open.agent = {"3", "4"};
  open.boot = "b", open.pid_namespace = "5", open.since = "6", open.uid = "7", open.node = "n0",
  open.option = "vf";
  EXPECT_EQ(
      record_text({1, Mark::done, open}),
      "1 done open agent_pid=3 agent_start=4 boot=b node=n0 option=vf pid_namespace=5 since=6 stepd_pid=1 "
      "stepd_start=2 uid=7");
  EXPECT_EQ(record_text({2, Mark::done, TaskNoted{3, {{"4", "5"}, "/c", "6"}}}),
            "2 done task cgroup=/c cgroup_inode=6 task=3 task_pid=4 task_start=5");
  EXPECT_EQ(record_text({2, Mark::done, RelayNoted{{"4", "5"}}}), "2 done relay relay_pid=4 relay_start=5");
  EXPECT_EQ(record_text({2, Mark::done, PortsNoted{"vf", "mlx5_0:1"}}),
            "2 done ports mode=vf ports=mlx5_0:1");
  EXPECT_EQ(record_text({2, Mark::intent, Quarantined{"pid 9"}}), "2 intent quarantine process=pid%209");
  EXPECT_EQ(record_text({9, Mark::undone, Undone{"claim", 4}}), "9 undone claim of=4");
}

TEST(Journal, KnowsWhatWasUndone) {
  const auto records = decode_journal(encode_record({4, Mark::intent, Claim{"a", "b"}}) +
                                      encode_record({5, Mark::undone, Undone{"claim", 4}}));
  ASSERT_TRUE(records.ok());
  const auto* undone = get_if<Undone>(records->at(1));
  ASSERT_NE(undone, nullptr);
  EXPECT_EQ(undone->of, 4U);
}

TEST(Journal, ATornLastLineIsTheEndWhereverItWasCut) {
  const std::string line = encode_record(sample());
  for (std::size_t cut = 0; cut < line.size(); ++cut) {
    const auto records = decode_journal(line + line.substr(0, cut));
    ASSERT_TRUE(records.ok()) << cut;
    EXPECT_EQ(records->size(), 1U) << cut;
  }
}

TEST(Journal, AnyFlippedBitIsCorrupt) {
  const std::string line = encode_record(sample());
  for (std::size_t i = 0; i + 1 < line.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = line;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const auto records = decode_journal(damaged);
      if (damaged.find('\n') != line.size() - 1)
        continue;  // became a shorter line, judged by its own checksum
      ASSERT_FALSE(records.ok()) << i << ' ' << bit;
      EXPECT_EQ(records.error().code, Errc::corrupt);
    }
}

TEST(Journal, AnotherVersionIsNotGuessedAt) {
  const auto other = decode_journal("CIB2 00000000 1 done open\n");
  EXPECT_EQ(other.error().code, Errc::corrupt);
  EXPECT_EQ(other.error().message(),
            "journal line 1: is of version CIB2, and this release knows CIB1; the release that wrote it can "
            "reap it");
}

TEST(Journal, AnAttachmentToAContainerHasANameThatNoStepHas) {
  EXPECT_EQ(container_attachment("4711"), "pid-4711");
  EXPECT_EQ(title_of("pid-4711"), "attachment pid-4711");
  EXPECT_EQ(title_of("17.0"), "step 17.0");
  for (const char* other : {"", "pid-", "pid-x", "pid-17.0", "pid--1", "pid-1/..", "17.0", "pid"})
    EXPECT_FALSE(is_container_attachment(other)) << other;
}

TEST(Journal, AnAttachmentIsWholeWhileItsDevicesAreMounted) {
  std::vector<Record> records = {{1, Mark::done, Opened{}}};
  EXPECT_FALSE(is_whole_attachment(records));
  EXPECT_EQ(container_of(records), "");
  const DevicesMounted mounted{0, "mlx5_0:1", "77"};
  for (const auto& [mark, whole] :
       {std::pair(Mark::intent, false), std::pair(Mark::done, true), std::pair(Mark::undone, false)}) {
    records.push_back({static_cast<std::uint32_t>(records.size() + 1), mark, mounted});
    EXPECT_EQ(is_whole_attachment(records), whole);
    EXPECT_EQ(container_of(records), "77");
  }
}

TEST(Journal, StepsAreNamedAsSlurmPrintsThem) {
  EXPECT_EQ(step_name(17, 0), "17.0");
  EXPECT_EQ(step_name(17, 0xfffffffbU), "17.batch");
  EXPECT_EQ(step_name(17, 0xfffffffcU), "17.extern");
  EXPECT_EQ(step_name(17, 0xfffffffaU), "17.interactive");
}

}  // namespace
}  // namespace cib
