#include "container_ib/wire.hpp"

#include <gtest/gtest.h>

namespace cib::wire {
namespace {

TEST(Wire, ReadsWhatWasWritten) {
  Start start;
  start.job = 17;
  ASSERT_TRUE(start.option.set("verbs,rails=2"));
  const auto read = read_frame<Start>(&start, sizeof start);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->job, 17U);
  EXPECT_EQ(read->option.get(), "verbs,rails=2");
}

TEST(Wire, TakesNothingFromAFrameThatIsNotExactlyAsExpected) {
  Start start;
  EXPECT_FALSE(read_frame<Start>(&start, sizeof start - 1).ok());
  EXPECT_FALSE(read_frame<Grant>(&start, sizeof start).ok());
  EXPECT_FALSE(kind_of(&start, sizeof(Header) - 1).ok());
  start.header.version = version + 1;
  EXPECT_FALSE(read_frame<Start>(&start, sizeof start).ok());
  start.header = {.kind = Kind::start};
  start.header.magic ^= 1;
  EXPECT_FALSE(read_frame<Start>(&start, sizeof start).ok());
  for (const int kind : {static_cast<int>(Kind::start) - 1, static_cast<int>(Kind::end) + 1, 99}) {
    start.header = {.kind = static_cast<Kind>(kind)};
    EXPECT_FALSE(kind_of(&start, sizeof start).ok()) << kind;
  }
  for (const Kind kind : {Kind::start, Kind::end}) {
    start.header = {.kind = kind};
    EXPECT_EQ(kind_of(&start, sizeof(Header)).value(), kind);
  }
}

TEST(Wire, APleaForPatienceHasNothingInIt) {
  const Patience patience;
  EXPECT_TRUE(read_frame<Patience>(&patience, sizeof patience).ok());
  const Decline longer;
  EXPECT_FALSE(read_frame<Patience>(&longer, sizeof longer).ok());
  std::array<Patience, 2> twice;
  EXPECT_FALSE(read_frame<Patience>(&twice, sizeof twice).ok());
}

TEST(Wire, TextWithoutAnEndIsReadToItsSize) {
  Line line;
  line.text.bytes.fill('x');
  EXPECT_EQ(line.text.get().size(), line.text.bytes.size());
}

TEST(Wire, TextThatDoesNotFitIsNotSent) {
  Text<4> text;
  EXPECT_TRUE(text.set("abc"));
  EXPECT_FALSE(text.set("abcd"));
  EXPECT_FALSE(text.set(std::string_view("a\0b", 3)));
  EXPECT_EQ(text.get(), "abc");
  text.set_cut("abcdef");
  EXPECT_EQ(text.get(), "abc");
}

}  // namespace
}  // namespace cib::wire
