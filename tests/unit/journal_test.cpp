#include "container_ib/journal.hpp"

#include <gtest/gtest.h>

namespace cib {
namespace {

Record sample() {
  return {.seq = 7,
          .mark = Mark::intent,
          .verb = "mount_devices",
          .fields = {{"ports", "mlx5_0:1,mlx5_1:1"}, {"odd", "a b=c%\n\x01\xff"}, {"empty", ""}}};
}

TEST(Journal, ARecordsTextIsPrintable) {
  EXPECT_EQ(record_text({.seq = 7, .mark = Mark::intent, .verb = "claim", .fields = {{"name", "a b\x1b\n"}}}),
            "7 intent claim name=a%20b%1b%0a");
}

TEST(Journal, WhatWasWrittenIsRead) {
  const auto records = decode_journal(encode_record(sample()) + encode_record(sample()));
  ASSERT_TRUE(records.ok());
  ASSERT_EQ(records->size(), 2U);
  EXPECT_EQ(records->at(1).seq, 7U);
  EXPECT_EQ(records->at(1).mark, Mark::intent);
  EXPECT_EQ(records->at(1).verb, "mount_devices");
  EXPECT_EQ(records->at(1).fields, sample().fields);
}

// A journal outlives an update of the package, and people read it.
TEST(Journal, IsWrittenAsItAlwaysWas) {
  const Record record{.seq = 12,
                      .mark = Mark::undone,
                      .verb = "claim",
                      .fields = {{"all", "azAZ09_-.,:/*@+"}, {"odd", "` [{/:%\x7f"}}};
  EXPECT_EQ(encode_record(record),
            "CIB1 3d6704e8 12 undone claim all=azAZ09_-.,:/*@+ odd=%60%20%5b%7b/:%25%7f\n");
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
  EXPECT_EQ(decode_journal("CIB2 00000000 1 done open\n").error().code, Errc::corrupt);
}

TEST(Journal, StepsAreNamedAsSlurmPrintsThem) {
  EXPECT_EQ(step_name(17, 0), "17.0");
  EXPECT_EQ(step_name(17, 0xfffffffbU), "17.batch");
  EXPECT_EQ(step_name(17, 0xfffffffcU), "17.extern");
  EXPECT_EQ(step_name(17, 0xfffffffaU), "17.interactive");
}

}  // namespace
}  // namespace cib
