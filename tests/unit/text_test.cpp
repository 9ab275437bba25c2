#include "container_ib/text.hpp"

#include <gtest/gtest.h>

namespace cib::test {
namespace {

TEST(Hex, HasTheLowestDigits) {
  EXPECT_EQ(hex(0xff, 4), "00ff");
  EXPECT_EQ(hex(0x12345, 4), "2345");
  EXPECT_EQ(hex(~std::uint64_t{0}, 16), std::string(16, 'f'));
}

TEST(Hex, IsReadBehindItsPrefix) {
  EXPECT_EQ(prefixed_hex<std::uint16_t>("0x8001"), 0x8001);
  EXPECT_EQ(prefixed_hex<std::uint16_t>("0xfFfF"), 0xffff);
  for (const char* text : {"", "0x", "8001", "0X8001", "0x-1", "0x10000", "0x8001 ", " 0x8001", "0x0x1"})
    EXPECT_EQ(prefixed_hex<std::uint16_t>(text), std::nullopt) << text;
}

TEST(Percent, LeavesLettersDigitsAndWhatIsPlain) {
  EXPECT_EQ(percent_encoded("azAZ09-_", "-"), "azAZ09-%5f");
  EXPECT_EQ(percent_encoded(std::string("a b\n\0\xff%", 7), "."), "a%20b%0a%00%ff%25");
}

TEST(Percent, ComesBackAsItWas) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string word = percent_encoded(all, "");
  EXPECT_EQ(word.find_first_of(" \n\t,="), std::string::npos);
  EXPECT_EQ(percent_decoded(word), all);
  EXPECT_EQ(percent_decoded("%4A%4a"), "JJ");
}

TEST(Percent, HasTwoDigits) {
  for (const char* word : {"%", "a%4", "%zz", "%4z", "%-1", "%+1", "% 1"})
    EXPECT_EQ(percent_decoded(word), std::nullopt) << word;
}

TEST(DidYouMean, NamesTheNearestWordIfThereIsOne) {
  const std::vector<std::string_view> known = {"hca", "rails", "report", "require", "verbs", "vf", "ipoib"};
  EXPECT_EQ(did_you_mean("hcas", known), "did you mean hca? ");
  EXPECT_EQ(did_you_mean("rail", known), "did you mean rails? ");
  EXPECT_EQ(did_you_mean("reprot", known), "did you mean report? ") << "swapped";
  EXPECT_EQ(did_you_mean("ipiob", known), "did you mean ipoib? ");
  EXPECT_EQ(did_you_mean("verb", known), "did you mean verbs? ");
  for (const char* word : {"", "x", "xx", "bogus", "something else that is long enough to be nobody's"})
    EXPECT_EQ(did_you_mean(word, known), "") << word;
}

}  // namespace
}  // namespace cib::test
