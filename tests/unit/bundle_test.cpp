#include "container_ib/bundle.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const BundleMount proc = {"/proc", "proc", "proc", {}};
const BundleMount own_dev = {"/dev", "tmpfs", "tmpfs", {"nosuid", "mode=755"}};
const BundleMount own_shm = {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "size=65536k"}};

BundleMount bind_of(const char* path, const char* option = "rbind") { return {path, "none", path, {option}}; }

// "+/dev/infiniband 2=/dev/shm": what is added behind all and what takes the place of another mount.
std::string edits_of(std::vector<BundleMount> mounts) {
  Bundle bundle;
  bundle.mounts = std::move(mounts);
  std::string text;
  for (const BundleEdit& edit : missing_mounts(bundle)) {
    EXPECT_EQ(edit.mount.source, edit.mount.destination);
    EXPECT_THAT(edit.mount.options, testing::Contains("rbind"));
    if (!text.empty()) text += ' ';
    text += edit.instead_of ? std::to_string(*edit.instead_of) + "=" : "+";
    text += edit.mount.destination;
  }
  return text;
}

TEST(MissingMounts, OfWhatRuncSpecWrites) {
  EXPECT_EQ(edits_of({proc, own_dev, own_shm}), "+/dev/infiniband 2=/dev/shm");
  EXPECT_EQ(edits_of({}), "+/dev/infiniband +/dev/shm");
}

TEST(MissingMounts, AreNoneWhereTheBundleHasAllOfDev) {
  EXPECT_EQ(edits_of({bind_of("/dev")}), "");
  EXPECT_EQ(edits_of({{"dev//", "none", "/dev/./", {"rbind"}}}), "");
  EXPECT_EQ(edits_of({bind_of("/dev"), own_shm}), "1=/dev/shm");
  EXPECT_EQ(edits_of({bind_of("/")}), "");
}

TEST(MissingMounts, APlainBindOfDevShowsNotWhatIsMountedBelow) {
  EXPECT_EQ(edits_of({bind_of("/dev", "bind")}), "+/dev/infiniband +/dev/shm");
  EXPECT_EQ(edits_of({{"/dev", "none", "/elsewhere/dev", {"rbind"}}}), "+/dev/infiniband +/dev/shm");
}

TEST(MissingMounts, WhatTheBundleMountsItselfStays) {
  EXPECT_EQ(edits_of({own_dev, bind_of("/dev/infiniband"), bind_of("/dev/shm")}), "");
  EXPECT_EQ(edits_of({own_dev, bind_of("/dev/infiniband/uverbs0", "bind"), bind_of("/dev/shm", "bind")}), "");
  EXPECT_EQ(edits_of({own_dev, {"/dev/infiniband", "tmpfs", "none", {}}, bind_of("/dev/shm")}), "");
}

TEST(MissingMounts, ALaterMountHidesAnEarlierOne) {
  EXPECT_EQ(edits_of({bind_of("/dev/infiniband"), own_shm, own_dev}), "+/dev/infiniband +/dev/shm");
  EXPECT_EQ(edits_of({bind_of("/dev"), own_dev}), "+/dev/infiniband +/dev/shm");
  EXPECT_EQ(edits_of({own_dev, bind_of("/dev")}), "");
}

TEST(MissingMounts, NamesThatOnlyBeginLikeItAreOthers) {
  EXPECT_EQ(edits_of({bind_of("/dev/infinibandwidth"),
                      bind_of("/dev/shm2"),
                      bind_of("/de"),
                      {"/dev/x/../infiniband", "none", "/x", {}},
                      bind_of("/dev/shm")}),
            "");
  EXPECT_EQ(edits_of({bind_of("/dev/infinibandwidth"), bind_of("/dev/shm2")}), "+/dev/infiniband +/dev/shm");
}

std::vector<std::string> ports_of(std::vector<std::string> env) {
  Bundle bundle;
  bundle.env = std::move(env);
  const auto ports = ports_of_task(bundle);
  if (!ports) return {ports.error().message()};
  std::vector<std::string> names;
  for (const Port& port : *ports) names.push_back(port.name());
  return names;
}

TEST(PortsOfTask, AreThoseOfItsEnvironment) {
  EXPECT_THAT(ports_of({"A=1", "CONTAINER_IB_PORTS=mlx5_0:1,mlx5_1:2"}), ElementsAre("mlx5_0:1", "mlx5_1:2"));
  EXPECT_THAT(ports_of({}), IsEmpty());
  EXPECT_THAT(ports_of({"CONTAINER_IB_PORTS=", "CONTAINER_IB_PORTS_=mlx5_0:1", "CONTAINER_IB_MODE=verbs"}),
              IsEmpty());
  for (const char* wrong : {"mlx5_0", ":1", "mlx5_0:", "mlx5_0:1,", "mlx5_0:x", ","})
    EXPECT_THAT(ports_of({std::string("CONTAINER_IB_PORTS=") + wrong}),
                ElementsAre(HasSubstr("is no list of ports")))
        << wrong;
}

TEST(Obstacles, AnotherUserOrNetworkKeepsPmixAway) {
  Bundle bundle;
  bundle.uid = 1000;
  bundle.env = {"PMIX_RANK=0"};
  EXPECT_THAT(obstacles(bundle, 1000), IsEmpty());
  EXPECT_THAT(obstacles(bundle, 1001),
              ElementsAre(HasSubstr("process.user.uid is 1000 and the task's 1001")));
  bundle.own_network = true;
  EXPECT_THAT(obstacles(bundle, 1000), ElementsAre(HasSubstr("\"network\" out of linux.namespaces")));
  bundle.env = {"XPMIX_RANK=0"};
  EXPECT_THAT(obstacles(bundle, 0), IsEmpty());
}

}  // namespace
}  // namespace cib
