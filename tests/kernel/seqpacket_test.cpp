#include "adapters/linux/seqpacket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "adapters/linux/deadline.hpp"

namespace cib::test {
namespace {

struct Seqpacket : testing::Test {
  std::pair<UniqueFd, UniqueFd> ends = make_channel().value();
  int here() const { return ends.first.get(); }
  int there() const { return ends.second.get(); }
};

TEST_F(Seqpacket, CarriesFramesAndDescriptors) {
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const int fd = file.get();
  ASSERT_TRUE(send_frame(here(), wire::Namespaces{}, 100, std::span(&fd, 1)).ok());
  const auto frame = receive_frame(there(), 100, 1);
  ASSERT_TRUE(frame.ok());
  EXPECT_TRUE(wire::read_frame<wire::Namespaces>(frame->bytes.data(), frame->size).ok());
  ASSERT_EQ(frame->fds.size(), 1U);
  EXPECT_EQ(::fcntl(frame->fds[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Seqpacket, AnEmptySocketTimesOut) {
  EXPECT_EQ(receive_frame(there(), 0).error().code, Errc::timed_out);
  EXPECT_EQ(receive_frame(there(), 20).error().code, Errc::timed_out);
}

TEST_F(Seqpacket, AFullSocketTimesOutInsteadOfBlocking) {
  Status status;
  for (int i = 0; i < 100'000 && status.ok(); ++i) status = send_frame(here(), wire::Variable{}, 20);
  EXPECT_EQ(status.error().code, Errc::timed_out);
}

TEST_F(Seqpacket, AClosedEndIsSizeZeroAndAnErrorWithoutASignal) {
  ends.first.reset();
  EXPECT_EQ(receive_frame(there(), 100)->size, 0U);
  EXPECT_EQ(send_frame(there(), wire::End{}, 100).error().code, Errc::peer_gone);
}

// The reader looks for the frame just while it comes and the socket is closed behind it. Where the two have
// no CPU each, a round takes a hundred times as long and meets nothing, so there are fewer.
TEST(SeqpacketRace, AFrameThatWasSentBeforeTheEndIsNeverLost) {
  constexpr int rounds = 40'000, none = -1, over = -2;
  std::atomic<int> to_write = none;
  std::thread writer([&] {
    for (;;) {
      int socket = none;
      while ((socket = to_write.exchange(none)) == none) std::this_thread::yield();
      if (socket == over) return;
      (void)send_frame(socket, wire::End{}, 0);
      ::close(socket);
    }
  });
  const Deadline enough(10'000);
  int lost = 0;
  for (int round = 0; round < rounds && !enough.passed(); ++round) {
    auto [reader, other] = make_channel().value();
    to_write = other.release();
    auto frame = receive_frame(reader.get(), 0);
    while (!frame) frame = receive_frame(reader.get(), 0);
    lost += frame->size == 0 ? 1 : 0;
  }
  to_write = over;
  writer.join();
  EXPECT_EQ(lost, 0);
}

TEST_F(Seqpacket, AFrameThatWasSentBeforeAResetIsNotLost) {
  ASSERT_TRUE(send_frame(there(), wire::Ready{}, 100).ok());
  ASSERT_TRUE(send_frame(here(), wire::End{}, 100).ok());
  ends.first.reset();  // with the frame unread
  EXPECT_NE(receive_frame(there(), 100)->size, 0U);
  EXPECT_EQ(receive_frame(there(), 100)->size, 0U);
}

TEST_F(Seqpacket, AFrameLargerThanOursIsCorruptAndItsDescriptorsAreClosed) {
  const std::vector<char> large(wire::max_frame + 1);
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const int fd = file.get();
  ASSERT_TRUE(send_bytes(here(), large.data(), large.size(), std::span(&fd, 1), 100).ok());
  const int next_free = ::dup(0);
  ::close(next_free);
  EXPECT_EQ(receive_frame(there(), 100, 1).error().code, Errc::corrupt);
  const int still_free = ::dup(0);
  ::close(still_free);
  EXPECT_EQ(still_free, next_free) << "a descriptor was kept";
}

TEST_F(Seqpacket, ADescriptorThatNobodyAskedForIsNotReceivedAndStays) {
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const int fd = file.get();
  ASSERT_TRUE(send_frame(here(), wire::Ready{}, 100).ok());
  ASSERT_TRUE(send_frame(here(), wire::Ready{}, 100, std::span(&fd, 1)).ok());
  EXPECT_TRUE(receive_frame(there(), 100).ok());
  for (int time = 0; time < 2; ++time) EXPECT_EQ(receive_frame(there(), 100).error().code, Errc::denied);
  EXPECT_EQ(next_kind(there()), wire::Kind::ready);
}

TEST_F(Seqpacket, DescriptorsBeyondThoseAskedForAreCorrupt) {
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(send_frame(here(), wire::Namespaces{}, 100, std::array{file.get(), file.get()}).ok());
  EXPECT_EQ(receive_frame(there(), 100, 1).error().code, Errc::corrupt);
  EXPECT_EQ(receive_frame(there(), 0, 1).error().code, Errc::timed_out) << "it was read";
}

TEST_F(Seqpacket, RoomThatWasReservedHoldsEveryTaskOfTheLargestStep) {
  reserve_room(here(), wire::max_local_tasks * sizeof(wire::TaskStarted));
  for (unsigned task = 0; task < wire::max_local_tasks; ++task)
    ASSERT_TRUE(send_frame(here(), wire::TaskStarted{}, 0).ok()) << task;
}

TEST(UniqueFd, ClosesOnceAndMoves) {
  int raw = -1;
  {
    UniqueFd a(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    raw = a.get();
    UniqueFd b(std::move(a));
    EXPECT_FALSE(a.valid());  // NOLINT(bugprone-use-after-move): what is tested
    UniqueFd& same = b;
    b = std::move(same);
    EXPECT_EQ(b.get(), raw) << "assigned to itself";
    b = UniqueFd(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    EXPECT_NE(::fcntl(b.get(), F_GETFD), -1);
  }
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
}

}  // namespace
}  // namespace cib::test
