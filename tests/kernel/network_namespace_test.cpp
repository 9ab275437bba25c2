// Network namespaces, links and claims on this kernel; veth and macvlan stand for what it has no driver for.
#include "adapters/linux/network_namespace.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/linux/sysfs_mount.hpp"
#include "adapters/netlink/ipoib_link.hpp"
#include "adapters/netlink/links.hpp"
#include "adapters/state/claims.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Namespaces : public Scratch {
 protected:
  std::string file(const std::string& name = "netns") const { return folder_ + '/' + name; }
  static std::uint64_t inode(const UniqueFd& ns) {
    struct stat status {};
    EXPECT_EQ(::fstat(ns.get(), &status), 0);
    return status.st_ino;
  }
  static std::vector<std::string> names(const UniqueFd& ns) {
    const auto visit = NetworkVisit::to(ns.get());
    auto links = Links::open();
    std::vector<std::string> names;
    const auto all = links->list();
    for (const Link& link : *all) names.push_back(link.name);
    return names;
  }
  static Link link(const UniqueFd& ns, const std::string& name) {
    const auto visit = NetworkVisit::to(ns.get());
    auto links = Links::open();
    const auto all = links->list();
    for (const Link& one : *all)
      if (one.name == name) return one;
    ADD_FAILURE() << "no link " << name;
    return {};
  }
  // In the namespace, as somebody who has ip(8) there would.
  static void run_in(const UniqueFd& ns, const std::string& command) {
    const auto visit = NetworkVisit::to(ns.get());
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
};

TEST_F(Namespaces, ANewOneHasOnlyLoAndItIsUp) {
  const auto home = open_own_network_namespace();
  const auto ns = make_network_namespace();
  ASSERT_TRUE(ns.ok()) << ns.error().message();
  EXPECT_EQ(inode(*open_own_network_namespace()), inode(*home)) << "we are where we were";
  EXPECT_NE(inode(*ns), inode(*home));
  EXPECT_TRUE(link(*ns, "lo").up);
}

// Others' mount namespaces would keep a network namespace, and with it a VF, that a step has given back.
TEST_F(Namespaces, WhatKeepsOneIsSeenInNoOthersMounts) {
  const std::string state = folder_ + "/state", pin = state + "/netns-0";
  ASSERT_EQ(::mount(folder_.c_str(), folder_.c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount(nullptr, folder_.c_str(), nullptr, MS_SHARED, nullptr), 0);
  std::filesystem::create_directory(state);
  const auto mounts_of = [](const Child& other) {
    std::ifstream file("/proc/" + std::to_string(other.pid()) + "/mountinfo");
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto leave = [] { ASSERT_EQ(::unshare(CLONE_NEWNS), 0); };
  {
    const Child before(leave);
    LiveKernel kernel(state);
    ASSERT_TRUE(kernel.apply(MakeNetns{pin}).ok());
    EXPECT_THAT(mounts_of(before), testing::Not(HasSubstr("netns-0")));
    const Child meanwhile(leave);
    EXPECT_THAT(mounts_of(meanwhile), HasSubstr("netns-0"));
    ASSERT_TRUE(kernel.apply(MakeNetns{state + "/netns-1"}).ok()) << "private already";
    for (const char* name : {"/netns-0", "/netns-1"}) ASSERT_TRUE(kernel.undo(MakeNetns{state + name}).ok());
    EXPECT_THAT(mounts_of(meanwhile), testing::Not(HasSubstr("netns-0")));
  }
  EXPECT_EQ(::umount2(state.c_str(), MNT_DETACH), 0);
  EXPECT_NE(::umount2(state.c_str(), MNT_DETACH), 0) << "mounted twice";
  EXPECT_EQ(::umount2(folder_.c_str(), MNT_DETACH), 0);
}

TEST_F(Namespaces, AFileKeepsOneUntilItIsLetGo) {
  std::uint64_t made = 0;
  {
    const auto ns = make_network_namespace();
    made = inode(*ns);
    ASSERT_TRUE(pin_network_namespace(*ns, file()).ok());
  }
  const auto kept = open_pinned_network_namespace(file());
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(inode(*kept), made);
  for (int twice = 0; twice < 2; ++twice) EXPECT_TRUE(unpin_network_namespace(file()).ok());
  EXPECT_FALSE(std::filesystem::exists(file()));
  EXPECT_EQ(open_pinned_network_namespace(file()).error().code, Errc::not_found);
}

TEST_F(Namespaces, AFileThatKeepsNoneIsNoNamespaceAndIsRemoved) {
  std::ofstream(file()).flush();  // whoever made it died before the mount
  EXPECT_EQ(open_pinned_network_namespace(file()).error().code, Errc::not_found);
  EXPECT_TRUE(unpin_network_namespace(file()).ok());
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(Namespaces, AnExistingFileAndALinkAreNotUsed) {
  const auto ns = make_network_namespace();
  std::ofstream(file()).flush();
  EXPECT_FALSE(pin_network_namespace(*ns, file()).ok());
  std::filesystem::create_symlink("/proc/self/ns/net", file("link"));
  EXPECT_FALSE(open_pinned_network_namespace(file("link")).ok());
}

TEST_F(Namespaces, ItsSysfsShowsItsDevicesOnly) {
  const auto ns = make_network_namespace();
  const auto sysfs = sysfs_of_network_namespace(ns->get());
  ASSERT_TRUE(sysfs.ok()) << sysfs.error().message();
  std::vector<std::string> seen;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd/" + std::to_string(sysfs->get()) + "/class/net"))
    seen.push_back(entry.path().filename());
  EXPECT_THAT(seen, ElementsAre("lo"));
}

TEST_F(Namespaces, ATasksSysfsIsReplacedAndWhatLayOnItStays) {
  const auto ns = make_network_namespace();
  const Child task([] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::system("mount --make-rprivate / && "
                 "mount -t tmpfs tmpfs /sys/kernel && touch /sys/kernel/kept") != 0)
      ::_exit(1);
  });
  const std::string proc = "/proc/" + std::to_string(task.pid());
  const UniqueFd mounts(::open((proc + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  const auto sysfs = sysfs_of_network_namespace(ns->get());
  const auto status = mount_over_sys(mounts.get(), *sysfs);
  ASSERT_TRUE(status.ok()) << status.error().message();
  std::vector<std::string> seen;
  for (const auto& entry : std::filesystem::directory_iterator(proc + "/root/sys/class/net"))
    seen.push_back(entry.path().filename());
  EXPECT_THAT(seen, ElementsAre("lo"));
  EXPECT_TRUE(std::filesystem::exists(proc + "/root/sys/kernel/kept"));
}

TEST_F(Namespaces, ALinkMovesWithItsNameAndItsTagInOneStep) {
  const auto from = make_network_namespace(), to = make_network_namespace();
  run_in(*from, "ip link add v0 type veth peer name v1");
  {
    const auto visit = NetworkVisit::to(from->get());
    auto links = Links::open();
    const auto all = links->list();
    const auto v0 = std::find_if(all->begin(), all->end(), [](const Link& l) { return l.name == "v0"; });
    ASSERT_NE(v0, all->end());
    const auto status =
        links->change(v0->index, {.name = "ib0", .alias = "tag", .network_namespace = to->get()}, "move v0");
    ASSERT_TRUE(status.ok()) << status.error().message();
  }
  EXPECT_THAT(names(*from), ElementsAre("lo", "v1"));
  EXPECT_THAT(names(*to), testing::UnorderedElementsAre("lo", "ib0"));
  EXPECT_EQ(link(*to, "ib0").alias, "tag");
  EXPECT_EQ(link(*to, "ib0").kind, "veth");
}

TEST_F(Namespaces, ALinkIsRaisedGivenAnAddressAndRemovedTwice) {
  const auto ns = make_network_namespace();
  run_in(*ns, "ip link add v0 type veth peer name v1 && ip link add link v0 name m0 type macvlan");
  const int index = link(*ns, "m0").index;
  const auto visit = NetworkVisit::to(ns->get());
  auto links = Links::open();
  EXPECT_TRUE(links->add_address(index, "10.40.0.1/16", "address").ok());
  EXPECT_TRUE(links->change(index, {.mtu = 1400, .up = true}, "raise m0").ok());
  EXPECT_TRUE(links->get(index)->up);
  EXPECT_EQ(links->get(index)->mtu, 1400U);
  EXPECT_THAT(*links->with_addresses(), testing::Contains("m0"));
  for (int twice = 0; twice < 2; ++twice) EXPECT_TRUE(links->remove(index, "remove m0").ok());
  EXPECT_EQ(links->get(index).error().code, Errc::not_found);
}

TEST_F(Namespaces, TheKernelsRefusalSaysWhatWasDone) {
  const auto ns = make_network_namespace();
  const auto visit = NetworkVisit::to(ns->get());
  auto links = Links::open();
  const auto status =
      create_ipoib_child(*links, {.name = "x", .parent_index = 1, .pkey = {}, .connected = false});
  EXPECT_THAT(status.error().message(), HasSubstr("create IPoIB interface x: "));
  EXPECT_NE(status.error().sys_errno, 0);
}

TEST_F(Namespaces, AClaimIsOnesUntilItsOwnerReleasesIt) {
  Claims claims(folder_);
  ASSERT_TRUE(claims.take("0000:21:00.1", "17.0@1").ok());
  EXPECT_EQ(claims.take("0000:21:00.1", "18.0@2").error().code, Errc::in_use);
  EXPECT_EQ(claims.take("0000:21:00.1", "17.0@1").error().code, Errc::in_use) << "one VF for two tasks";
  EXPECT_THAT(*claims.all(), ElementsAre(testing::Pair("0000:21:00.1", "17.0@1")));
  EXPECT_TRUE(claims.release("0000:21:00.1", "18.0@2").ok());
  EXPECT_EQ(*claims.owner_of("0000:21:00.1"), "17.0@1") << "not its own";
  for (int twice = 0; twice < 2; ++twice) EXPECT_TRUE(claims.release("0000:21:00.1", "17.0@1").ok());
  EXPECT_THAT(*claims.all(), IsEmpty());
}

TEST_F(Namespaces, AClaimWhoseWriterDiedBeforeItWroteIsFree) {
  Claims claims(folder_);
  ASSERT_TRUE(claims.take("a", "17.0@1").ok());
  std::filesystem::resize_file(folder_ + "/claims/a", 0);
  EXPECT_THAT(*claims.all(), IsEmpty());
  EXPECT_TRUE(claims.take("a", "18.0@2").ok());
  EXPECT_EQ(*claims.owner_of("a"), "18.0@2");
}

TEST_F(Namespaces, OneProcessAtATimeHasTheNodesLock) {
  const auto mine = NodeLock::take(folder_, NodeLock::Of::devices, 1000);
  ASSERT_TRUE(mine.ok());
  EXPECT_EQ(NodeLock::take(folder_, NodeLock::Of::devices, 50).error().code, Errc::timed_out);
  EXPECT_TRUE(NodeLock::take(folder_, NodeLock::Of::claiming, 50).ok())
      << "who claims re-registers nothing yet";
}

}  // namespace
}  // namespace cib::test
