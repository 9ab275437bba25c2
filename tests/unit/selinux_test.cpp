#include "adapters/linux/selinux.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_tree.hpp"

namespace cib::test {
namespace {

using testing::HasSubstr;

TEST(Selinux, IsToldAsItsFileSystemShowsIt) {
  TempTree tree;
  EXPECT_EQ(selinux_enforces(tree.path()), std::nullopt);
  tree.file("enforce", "1");
  EXPECT_EQ(selinux_enforces(tree.path()), true);
  tree.file("enforce", "0");
  EXPECT_EQ(selinux_enforces(tree.path()), false);
}

TEST(Selinux, IsWorthALineOnlyWhereItIs) {
  EXPECT_EQ(about_selinux(std::nullopt), "");
  EXPECT_THAT(about_selinux(true), HasSubstr("SELinux enforces: where the policy labels a P_Key"));
  EXPECT_THAT(about_selinux(false), HasSubstr("permissive"));
}

}  // namespace
}  // namespace cib::test
