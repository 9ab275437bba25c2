#include "adapters/linux/mountinfo.hpp"

#include <gtest/gtest.h>

namespace cib::test {
namespace {

TEST(Mountinfo, HasAMountALine) {
  const auto mounts = parse_mountinfo(
      "37 31 0:34 /docker/1 /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
      "no mount\n"
      "38 31 0:34 / /a\\040b\\134c\\08 rw shared:3 master:1 - tmpfs none rw,size=4k\n");
  ASSERT_EQ(mounts.size(), 2U);
  EXPECT_EQ(mounts[0].id, 37U);
  EXPECT_FALSE(mounts[0].shared);
  EXPECT_TRUE(mounts[1].shared);
  EXPECT_EQ(mounts[0].root, "/docker/1");
  EXPECT_EQ(mounts[0].point, "/sys/fs/cgroup/freezer");
  EXPECT_EQ(mounts[0].kind, "cgroup");
  EXPECT_EQ(mounts[0].super, "rw,freezer");
  EXPECT_EQ(mounts[0].device, "0:34");
  EXPECT_FALSE(mounts[0].shared);
  EXPECT_TRUE(mounts[1].shared);
  EXPECT_EQ(mounts[1].source, "none");
  EXPECT_EQ(mounts[1].point, "/a b\\c\\08");
  EXPECT_EQ(mounts[1].kind, "tmpfs");
  EXPECT_TRUE(parse_mountinfo("").empty());
}

// In whatever order the list has them.
TEST(Mountinfo, TheMountThatIsSeenIsTheTopmost) {
  const auto at = [](const std::string& text) {
    const auto mounts = parse_mountinfo("20 1 0:1 / / rw - ext4 disk rw\n" + text);
    const Mount* found = mount_at(mounts, "/dev/infiniband");
    return found == nullptr ? std::string() : found->source;
  };
  const std::string dev = "30 20 0:2 / /dev rw - tmpfs dev rw\n",
                    ours = "40 30 0:3 / /dev/infiniband rw - tmpfs ours rw\n",
                    over = "50 40 0:4 / /dev/infiniband rw - tmpfs over rw\n",
                    hiding = "60 30 0:5 / /dev rw - tmpfs hiding rw\n";
  EXPECT_EQ(at(""), "disk");
  EXPECT_EQ(at(dev + "31 30 0:6 / /dev/infinib rw - tmpfs other rw\n"), "dev");
  EXPECT_EQ(at(ours + dev), "ours");
  EXPECT_EQ(at(over + ours + dev), "over");
  EXPECT_EQ(at(dev + ours + over + hiding), "hiding");
  EXPECT_EQ(mount_at(parse_mountinfo(dev), "/dev/infiniband"), nullptr);
}

TEST(Mountinfo, OfThisProcessHasProc) {
  const auto mounts = own_mounts();
  ASSERT_TRUE(mounts.ok()) << mounts.error().message();
  bool found = false;
  for (const Mount& mount : *mounts) found = found || (mount.point == "/proc" && mount.kind == "proc");
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace cib::test
