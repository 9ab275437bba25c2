#include "adapters/linux/user_namespace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace cib {
namespace {

TEST(UserNamespace, TheHostsRootIsToldFromOneThatOnlyLooksLikeIt) {
  ASSERT_TRUE(check_hosts_user_namespace().ok()) << "this test wants the host's root";
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWUSER) != 0) ::_exit(2);
    std::ofstream("/proc/self/uid_map") << "0 0 4294967295";  // as the host's, in every number
    const auto status = check_hosts_user_namespace();
    ::_exit(status.ok() || status.error().code != Errc::unsupported ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "this kernel makes no user namespaces";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace cib
