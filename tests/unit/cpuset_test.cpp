#include "container_ib/cpuset.hpp"

#include <gtest/gtest.h>

namespace cib {
namespace {

TEST(CpuSet, ReadsAndWritesHexOfAnyLength) {
  for (const char* text :
       {"0x0", "0x1", "0xf0", "0x8000000000000000", "0x10000000000000000", "0xff00000000000000ff"})
    EXPECT_EQ(CpuSet::from_hex(text).value().hex(), text);
  EXPECT_EQ(CpuSet::from_hex("00F0").value().hex(), "0xf0");
  for (const char* text : {"0x0123456789abcdef", "0X0123456789ABCDEF"})
    EXPECT_EQ(CpuSet::from_hex(text).value().hex(), "0x123456789abcdef");
}

TEST(CpuSet, RefusesWhatIsNotAMask) {
  for (const char* text : {"", "0x", "xyz", "0x1g", "-1", " 1", "1,2", "1/", "1:", "1@", "1G", "1`"}) {
    const auto set = CpuSet::from_hex(text);
    ASSERT_FALSE(set.ok()) << text;
    EXPECT_EQ(set.error().code, Errc::bad_request);
    EXPECT_NE(set.error().what.find(text), std::string::npos);
  }
}

TEST(CpuSet, ShowsHostileTextAsOneShortLine) {
  EXPECT_EQ(CpuSet::from_hex("0x1\n" + std::string(100, 'x')).error().what,
            "CPU mask '0x1\\x0a" + std::string(73, 'x') + "...': not a hexadecimal word like 0x0f");
}

TEST(CpuSet, RefusesAMaskThatNamesTooLargeACpu) {
  EXPECT_TRUE(CpuSet::from_hex("0x8000", 15).ok());
  EXPECT_FALSE(CpuSet::from_hex("0x10000", 15).ok());
  EXPECT_TRUE(CpuSet::from_hex("0x000000000001", 15).ok()) << "leading zeros name no CPU";
}

TEST(CpuSet, HasWhatWasAdded) {
  CpuSet set;
  for (const unsigned pu : {63U, 64U, 200U}) set.add(pu);
  EXPECT_EQ(set.list(), (std::vector<unsigned>{63, 64, 200}));
  EXPECT_EQ(set.count(), 3U);
  for (const unsigned pu : {63U, 64U, 200U}) EXPECT_TRUE(set.has(pu)) << pu;
  for (const unsigned pu : {0U, 62U, 65U, 199U, 201U, 256U, 10'000U}) EXPECT_FALSE(set.has(pu)) << pu;
}

TEST(CpuSet, CountsCommonMembersOfDifferentLengths) {
  const CpuSet small = CpuSet::from_hex("0xff").value(),
               large = CpuSet::from_hex("0xf0000000000000000f0").value();
  EXPECT_EQ(small.count_common(large), 4U);
  EXPECT_EQ(large.count_common(small), 4U);
  EXPECT_EQ(small.list(), (std::vector<unsigned>{0, 1, 2, 3, 4, 5, 6, 7}));
}

}  // namespace
}  // namespace cib
