#include "adapters/linux/deadline.hpp"

#include <gtest/gtest.h>

#include "adapters/linux/seqpacket.hpp"

namespace cib::test {
namespace {

TEST(PollUntil, AsksOnceHoweverLateItIs) {
  int asked = 0;
  EXPECT_FALSE(poll_until(Deadline(0), 1000, [&] { return ++asked > 1; }));
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(poll_until(Deadline(0), 1000, [] { return true; }));
}

TEST(PollUntil, AsksUntilItHolds) {
  int asked = 0;
  const Deadline deadline(10'000);
  EXPECT_TRUE(poll_until(deadline, 1, [&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
  EXPECT_FALSE(deadline.passed());
}

TEST(PollUntil, PausesAndEnds) {
  int asked = 0;
  EXPECT_FALSE(poll_until(Deadline(300), 100, [&] { return ++asked == 0; }));
  EXPECT_GT(asked, 1);
  EXPECT_LE(asked, 4) << "more than one a pause";
}

TEST(PollOne, TellsReadyFromLate) {
  const auto ends = make_channel().value();
  EXPECT_EQ(poll_one(ends.first.get(), POLLIN, Deadline(0)), 0);
  EXPECT_EQ(poll_one(ends.first.get(), POLLOUT, Deadline(0)), 1);
}

}  // namespace
}  // namespace cib::test
