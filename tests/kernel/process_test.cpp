#include "adapters/linux/process.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "adapters/linux/memlock.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

std::string start_of(pid_t pid) { return std::to_string(start_time(pid).value()); }

TEST(Process, IsAliveByPidAndStartTimeTogether) {
  Child child([] {});
  const std::string pid = std::to_string(child.pid()), start = start_of(child.pid());
  EXPECT_TRUE(is_alive(pid, start));
  EXPECT_FALSE(is_alive(pid, std::to_string(std::stoull(start) + 1))) << "the number was used again";
  child.end();
  EXPECT_FALSE(is_alive(pid, start));
}

TEST(Process, WhatIsNoPidIsNotAlive) {
  for (const char* pid : {"", "0", "-1", "1x", " 1", "99999999999"}) EXPECT_FALSE(is_alive(pid, "1")) << pid;
}

TEST(Process, AZombieHasEnded) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  const auto pidfd = open_pidfd(pid);
  ASSERT_TRUE(pidfd.ok());
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(has_ended(pidfd->get()));
  EXPECT_FALSE(is_alive(std::to_string(pid), start_of(pid)));
  ::waitpid(pid, nullptr, 0);
}

TEST(Memlock, IsRaisedAndNeverLowered) {
  const auto limits = [](pid_t pid) {
    rlimit limit{};
    ::prlimit(pid, RLIMIT_MEMLOCK, nullptr, &limit);
    return std::pair(limit.rlim_cur, limit.rlim_max);
  };
  Child child([] {
    const rlimit low{.rlim_cur = 1 << 20, .rlim_max = 8 << 20};
    ::setrlimit(RLIMIT_MEMLOCK, &low);
  });
  const UniqueFd pidfd = open_pidfd(child.pid()).value();
  ASSERT_TRUE(raise_memlock_of(pidfd.get(), 4U << 20).ok());
  EXPECT_EQ(limits(child.pid()), std::pair(rlim_t{4} << 20, rlim_t{8} << 20));
  if (::geteuid() != 0) GTEST_SKIP() << "raising a hard limit needs root";
  const auto status = raise_memlock_of(pidfd.get(), std::nullopt);
  if (!status.ok() && status.error().sys_errno == EPERM)
    GTEST_SKIP() << "needs CAP_SYS_RESOURCE, which this machine's root lacks";
  ASSERT_TRUE(status.ok()) << status.error().message();
  EXPECT_EQ(limits(child.pid()), std::pair(RLIM_INFINITY, RLIM_INFINITY));
}

TEST(Memlock, OfAnEndedProcessIsToldFromOtherFailures) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  const UniqueFd pidfd = open_pidfd(pid).value();
  ::waitpid(pid, nullptr, 0);
  EXPECT_EQ(raise_memlock_of(pidfd.get(), std::nullopt).error().code, Errc::ended);
}

}  // namespace
}  // namespace cib::test
