// The classes of RDMA devices as a task sees them, in the mount namespace of another process. This process'
// own /sys is a tree of two HCAs, as on a node.
#include "adapters/linux/hca_classes.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>

#include "adapters/linux/container.hpp"
#include "adapters/linux/small_tmpfs.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

namespace fs = std::filesystem;

class HcaClasses : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(::mount("tmpfs", "/sys", "tmpfs", 0, nullptr), 0);
    mounted_ = true;
    for (const auto* name : {"0", "1"}) {
      const std::string number = name, parent = "/sys/devices/pci0000:00/0000:2" + number + ":00.0/";
      add(parent, "infiniband", "mlx5_" + number);
      add(parent, "infiniband_verbs", "uverbs" + number);
      add(parent, "infiniband_mad", "umad" + number);
    }
    std::ofstream("/sys/class/infiniband_verbs/abi_version") << "6\n";
  }
  void TearDown() override {
    if (mounted_) (void)::umount2("/sys", MNT_DETACH);
    Scratch::TearDown();
  }

  static void add(const std::string& parent, const std::string& group, const std::string& name) {
    fs::create_directories(parent + group + '/' + name);
    fs::create_directories("/sys/class/" + group);
    fs::create_symlink("../.." + parent.substr(4) + group + '/' + name, "/sys/class/" + group + '/' + name);
  }

  // A process in a mount namespace of its own, which has the same /sys, or what the command makes of it.
  static Child task_with(const char* prepare = "true") {
    return Child([prepare] {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0 ||
          std::system(prepare) != 0)
        ::_exit(1);
    });
  }
  static UniqueFd mount_namespace(const Child& child) {
    return UniqueFd(
        ::open(("/proc/" + std::to_string(child.pid()) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  }
  static std::string seen_by(const Child& child, const std::string& path) {
    return "/proc/" + std::to_string(child.pid()) + "/root/sys/class/" + path;
  }
  static std::vector<std::string> listing(const Child& child, const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(seen_by(child, folder)))
      if (!entry.path().filename().string().starts_with('.')) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  static std::vector<DeviceNode> nodes(bool umad = false) {
    std::vector<DeviceNode> nodes = {{"uverbs1", "mlx5_1", makedev(231, 193), 0666, 0, 0},
                                     {"rdma_cm", "", makedev(10, 58), 0666, 0, 0}};
    if (umad) nodes.push_back({"umad1", "mlx5_1", makedev(231, 1), 0666, 0, 0});
    return nodes;
  }
  static std::vector<MountedClass> show(const Child& task, bool umad = false,
                                        const std::optional<std::vector<std::string>>& before = {}) {
    const auto classes = make_hca_classes(nodes(umad), before);
    EXPECT_TRUE(classes.ok()) << classes.error().message();
    auto mounted = mount_hca_classes(mount_namespace(task).get(), *classes);
    EXPECT_TRUE(mounted.ok()) << mounted.error().message();
    return *mounted;
  }

 private:
  bool mounted_ = false;
};

TEST_F(HcaClasses, ShowTheTasksOwnAndWhatTheyLeadTo) {
  const Child task = task_with();
  EXPECT_EQ(show(task).size(), 3U);
  EXPECT_THAT(listing(task, "infiniband"), testing::ElementsAre("mlx5_1"));
  EXPECT_THAT(listing(task, "infiniband_verbs"), testing::ElementsAre("abi_version", "uverbs1"));
  EXPECT_THAT(listing(task, "infiniband_mad"), testing::IsEmpty());
  EXPECT_TRUE(fs::is_directory(seen_by(task, "infiniband/mlx5_1/../mlx5_1")));
  EXPECT_TRUE(fs::is_directory(seen_by(task, "infiniband_verbs/uverbs1")));
  EXPECT_TRUE(fs::exists("/sys/class/infiniband/mlx5_0")) << "the node's stays as it was";
}

TEST_F(HcaClasses, ShowUmadWhereItIsGiven) {
  const Child task = task_with();
  show(task, true);
  EXPECT_THAT(listing(task, "infiniband_mad"), testing::ElementsAre("umad1"));
}

TEST_F(HcaClasses, AreTakenAwayIfTheyAreOurs) {
  const Child task = task_with();
  const UniqueFd ns = mount_namespace(task);
  auto mounted = show(task);
  auto others = mounted;
  for (MountedClass& one : others) ++one.number;
  EXPECT_TRUE(unmount_hca_classes(ns.get(), others).ok());
  EXPECT_THAT(listing(task, "infiniband"), testing::ElementsAre("mlx5_1"));
  EXPECT_TRUE(unmount_hca_classes(ns.get(), mounted).ok());
  EXPECT_THAT(listing(task, "infiniband"), testing::ElementsAre("mlx5_0", "mlx5_1"));
  EXPECT_THAT(listing(task, "infiniband_mad"), testing::ElementsAre("umad0", "umad1"));
}

TEST_F(HcaClasses, OfAnotherStepAreFound) {
  const Child task = task_with();
  const UniqueFd ns = mount_namespace(task);
  EXPECT_THAT(*hca_classes_in(ns.get()), testing::IsEmpty());
  const auto mounted = show(task);
  const auto found = hca_classes_in(ns.get());
  ASSERT_TRUE(found.ok()) << found.error().message();
  ASSERT_EQ(found->size(), mounted.size());
  for (std::size_t i = 0; i < mounted.size(); ++i) EXPECT_EQ((*found)[i].number, mounted[i].number);
}

TEST_F(HcaClasses, AreNotFoundInAFolderThatOnlyHasTheirFile) {
  const Child task = task_with(
      "mount -t tmpfs none /sys && mkdir -p /sys/class/infiniband && touch "
      "/sys/class/infiniband/.container-ib");
  EXPECT_THAT(*hca_classes_in(mount_namespace(task).get()), testing::IsEmpty());
}

// A container that shows fewer HCAs has the last word on which, for the next step in it too.
TEST_F(HcaClasses, TellWhatWasShownBefore) {
  const Child task = task_with();
  const UniqueFd ns = mount_namespace(task);
  show(task, false, std::vector<std::string>{"mlx5_0", "mlx5_1"});
  EXPECT_THAT(*rdma_devices_shown_in(ns.get()), testing::ElementsAre("mlx5_0", "mlx5_1"));
  const Child other = task_with();
  show(other);
  EXPECT_FALSE(rdma_devices_shown_in(mount_namespace(other).get()).ok()) << "nobody has said";
}

TEST_F(HcaClasses, AreLeftAloneWhereTheirLinksWouldLeadNowhere) {
  for (const char* prepare :
       {"mount -t tmpfs none /sys", "mount -t tmpfs none /sys && mkdir -p /sys/class/infiniband/mlx5_1",
        "mount -t tmpfs none /sys && mkdir -p /sys/class && ln -s /etc /sys/class/infiniband"}) {
    const Child task = task_with(prepare);
    EXPECT_THAT(show(task), testing::Each(testing::Field(&MountedClass::folder, "/sys/class/infiniband_mad")))
        << prepare;
  }
}

// What a user has put there leads root to no device and no other file.
TEST_F(HcaClasses, AreNotBelievedThroughALinkOrAMount) {
  const char* link =
      "mount -t tmpfs none /sys/class/infiniband && ln -s /proc/version /sys/class/infiniband/.container-ib";
  const char* mount =
      "mount -t tmpfs none /sys/class/infiniband && touch /sys/class/infiniband/.container-ib && mount "
      "--bind "
      "/proc/version /sys/class/infiniband/.container-ib";
  for (const char* prepare : {link, mount}) {
    const Child task = task_with(prepare);
    const auto shown = rdma_devices_shown_in(mount_namespace(task).get());
    ASSERT_TRUE(shown.ok()) << shown.error().message();
    EXPECT_THAT(*shown, testing::IsEmpty());
  }
}

TEST_F(HcaClasses, AreNotBelievedOfADevice) {
  const Child task = task_with(
      "mount -t tmpfs none /sys/class/infiniband && mknod /sys/class/infiniband/.container-ib c 1 5");
  EXPECT_THAT(*rdma_devices_shown_in(mount_namespace(task).get()), testing::IsEmpty());
}

}  // namespace
}  // namespace cib::test
