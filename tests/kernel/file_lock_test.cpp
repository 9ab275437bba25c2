#include "adapters/linux/file_lock.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <vector>

#include "agent/system_calls.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

constexpr int long_ms = 60'000;  // never reached where the test holds

// Whether the kernel has somebody wait for a lock of this file: /proc/locks has a line with "->" for each,
// proc(5).
std::size_t waiters_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return 0;
  const std::string inode = ":" + std::to_string(status.st_ino) + " ";
  std::ifstream locks("/proc/locks");
  std::size_t count = 0;
  for (std::string line; std::getline(locks, line);)
    if (line.find("->") != std::string::npos && line.find(inode) != std::string::npos) ++count;
  return count;
}

class Turns : public Scratch {
 protected:
  std::string path() const { return folder_ + "/turn.lock"; }
  UniqueFd open() const { return UniqueFd(::open(path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)); }

  // A process that, with the agent's system calls, takes the lock, tells its letter, and with `keep` has it
  // until it is killed.
  pid_t start(char letter, int tell, bool keep) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    held_.reset();
    if (!allow_only_needed_calls()) ::_exit(1);
    const UniqueFd file = open();
    if (lock_in_turn(file, path(), long_ms).ok()) (void)!::write(tell, &letter, 1);
    if (keep)
      for (;;) (void)::poll(nullptr, 0, -1);
    ::_exit(0);
  }
  void await_waiters(std::size_t count) const {
    while (waiters_of(path()) < count) ::usleep(1'000);  // until the kernel says so
  }
  void take() {
    held_ = open();
    ASSERT_TRUE(lock_in_turn(held_, path(), 0).ok());
  }
  UniqueFd held_;
};

TEST_F(Turns, WhoComesFirstHasItFirst) {
  std::array<int, 2> told{};
  ASSERT_EQ(::pipe(told.data()), 0);
  take();
  const std::string letters = "abcdefgh";
  std::vector<pid_t> waiting;
  for (const char letter : letters) {
    waiting.push_back(start(letter, told[1], false));
    await_waiters(waiting.size());
  }
  held_.reset();
  std::string order;
  for (char letter = 0; order.size() < letters.size() && ::read(told[0], &letter, 1) == 1;) order += letter;
  EXPECT_EQ(order, letters);
  for (const pid_t pid : waiting) ::waitpid(pid, nullptr, 0);
}

// The lock is handed over and a newcomer asks at that moment: it asks behind the one that waits.
TEST_F(Turns, ANewcomerDoesNotPassWhoWaits) {
  std::array<int, 2> told{};
  ASSERT_EQ(::pipe(told.data()), 0);
  take();
  const pid_t first = start('a', told[1], true);
  await_waiters(1);
  held_.reset();
  const UniqueFd mine = open();
  EXPECT_EQ(lock_in_turn(mine, path(), 50).error().code, Errc::timed_out) << "it is the other's, or will be";
  char letter = 0;
  EXPECT_EQ(::read(told[0], &letter, 1), 1);
  EXPECT_EQ(letter, 'a');
  signal_process(first, SIGKILL);
  ::waitpid(first, nullptr, 0);
}

TEST_F(Turns, AWaiterThatDiesIsNoLongerInTheLine) {
  std::array<int, 2> told{};
  ASSERT_EQ(::pipe(told.data()), 0);
  take();
  const pid_t dies = start('a', told[1], true);
  await_waiters(1);
  const pid_t lives = start('b', told[1], false);
  await_waiters(2);
  signal_process(dies, SIGKILL);
  ::waitpid(dies, nullptr, 0);
  while (waiters_of(path()) > 1) ::usleep(1'000);  // its helper has ended with it
  held_.reset();
  char letter = 0;
  EXPECT_EQ(::read(told[0], &letter, 1), 1);
  EXPECT_EQ(letter, 'b');
  ::waitpid(lives, nullptr, 0);
}

TEST_F(Turns, AHolderThatDiesHandsItOn) {
  std::array<int, 2> told{};
  ASSERT_EQ(::pipe(told.data()), 0);
  const pid_t dies = start('a', told[1], true);
  char letter = 0;
  ASSERT_EQ(::read(told[0], &letter, 1), 1);
  const UniqueFd mine = open();
  EXPECT_EQ(lock_in_turn(mine, path(), 50).error().code, Errc::timed_out);
  const pid_t next = start('b', told[1], false);
  await_waiters(1);
  signal_process(dies, SIGKILL);
  ::waitpid(dies, nullptr, 0);
  EXPECT_EQ(::read(told[0], &letter, 1), 1);
  EXPECT_EQ(letter, 'b') << "who gave up waiting and keeps the file open is in nobody's way";
  ::waitpid(next, nullptr, 0);
}

TEST_F(Turns, AnAnswerNeedsNoExitStatus) {
  take();
  const auto before = ::signal(SIGCHLD, SIG_IGN);
  const UniqueFd mine = open();
  EXPECT_EQ(lock_in_turn(mine, path(), 50).error().code, Errc::timed_out);
  ::signal(SIGCHLD, before);
}

TEST_F(Turns, ADirectoryIsLockedToo) {
  const auto directory = [&] {
    return UniqueFd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  };
  UniqueFd held = directory();
  ASSERT_TRUE(lock(held, folder_, 0).ok());
  const UniqueFd mine = directory();
  EXPECT_EQ(lock(mine, folder_, 50).error().code, Errc::timed_out);
  held.reset();
  EXPECT_TRUE(lock(mine, folder_, 1000).ok());
}

}  // namespace
}  // namespace cib::test
