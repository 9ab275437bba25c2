#include "relay/pending.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace cib {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text(const Pending& pending) {
  const auto left = pending.bytes();
  return {reinterpret_cast<const char*>(left.data()), left.size()};
}

TEST(Pending, IsTakenInPieces) {
  Pending pending;
  EXPECT_TRUE(pending.empty());
  pending.keep(bytes("abcdef"));
  EXPECT_EQ(text(pending), "abcdef");
  pending.drop(2);
  EXPECT_EQ(text(pending), "cdef");
  pending.drop(0);
  EXPECT_EQ(text(pending), "cdef");
  pending.drop(4);
  EXPECT_TRUE(pending.empty());
  EXPECT_EQ(pending.bytes().size(), 0U);
}

TEST(Pending, HoldsAsMuchAsItSaysAndCanBeUsedAgain) {
  const std::string full(Pending::capacity, 'x');
  Pending pending;
  for (int round = 0; round < 3; ++round) {
    pending.keep(bytes(full));
    EXPECT_EQ(pending.bytes().size(), Pending::capacity);
    pending.drop(Pending::capacity - 1);
    EXPECT_EQ(text(pending), "x");
    pending.drop(1);
    EXPECT_TRUE(pending.empty());
  }
}

TEST(Pending, NothingKeptIsNothingPendingAndNoMemory) {
  Pending pending;
  pending.keep({});
  EXPECT_TRUE(pending.empty());
  EXPECT_EQ(pending.bytes().data(), nullptr);
  pending.keep(bytes("a"));
  pending.drop(1);
  EXPECT_EQ(pending.bytes().data(), nullptr) << "memory is kept for nothing";
}

}  // namespace
}  // namespace cib
