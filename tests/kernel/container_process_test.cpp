// A container that runs already, as hostile as one can be: what is attached to it, and what of it is
// believed.
#include "adapters/linux/container_process.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <fstream>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/linux/namespaces.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/linux/small_tmpfs.hpp"
#include "adapters/state/live_stored_steps.hpp"
#include "adapters/state/state_dir.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class AttachedProcess : public Scratch {
 protected:
  static Child container(const char* prepare = "mkdir -p /dev/infiniband", int more = 0) {
    return Child([prepare, more] {
      if (::unshare(CLONE_NEWNS | more) != 0 ||
          ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0 ||
          ::mount("tmpfs", "/dev", "tmpfs", 0, nullptr) != 0 || std::system(prepare) != 0)
        ::_exit(1);
    });
  }
  static JournaledProcess journaled(const Child& child) { return {{identity_of(child.pid()), "", ""}, ""}; }
  static std::string id_of(const Child& child) {
    return std::to_string(namespace_of_process(child.pid(), "mnt").value());
  }
  static UniqueFd mounts_of(const Child& child) {
    return UniqueFd(
        ::open(("/proc/" + std::to_string(child.pid()) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  }
  static UniqueFd devices() {
    return make_device_mount({{"uverbs0", "mlx5_0", makedev(1, 3), 0666, 0, 0}}).value();
  }
  static bool shows_uverbs(const Child& child) {
    return std::filesystem::exists("/proc/" + std::to_string(child.pid()) + "/root/dev/infiniband/uverbs0");
  }
};

TEST_F(AttachedProcess, IsRefusedByWhatItIs) {
  const auto why = [](pid_t pid) {
    const auto opened = ContainerProcess::open(pid);
    return opened ? std::string("none") : opened.error().message();
  };
  EXPECT_THAT(why(::getpid()), HasSubstr("is in the node's own mount namespace"));
  const Child same([] {});
  EXPECT_THAT(why(same.pid()), HasSubstr("is in the node's own mount namespace"));
  pid_t gone = 0;
  {
    Child ended = container();
    gone = ended.pid();
  }
  EXPECT_THAT(why(gone), AllOf(HasSubstr("there is no process"), HasSubstr("docker inspect")));
  // Ended, and not waited for yet.
  const pid_t zombie = ::fork();
  if (zombie == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT), 0);
  EXPECT_THAT(why(zombie), HasSubstr("has ended"));
  ::waitpid(zombie, nullptr, 0);
  for (const pid_t pid : all_processes())
    if (process_name(pid) == "kthreadd") {
      EXPECT_THAT(why(pid), HasSubstr("kernel thread"));
    }
}

// With a /dev that other mount namespaces share, the node's own HCAs would vanish behind those of one
// container.
TEST_F(AttachedProcess, WhoseDevOthersShareIsRefused) {
  const Child shared = container("mkdir -p /dev/infiniband && mount --make-shared /dev");
  const auto opened = ContainerProcess::open(shared.pid());
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message(), AllOf(HasSubstr("outside of its container"), HasSubstr("rslave")));
  const Child slave =
      container("mkdir -p /dev/infiniband && mount --make-shared /dev && mount --make-slave /dev");
  EXPECT_TRUE(ContainerProcess::open(slave.pid()).ok());
}

// Its own HCAs are mounted over the classes of its /sys.
TEST_F(AttachedProcess, WhoseSysOthersShareIsRefused) {
  const Child shared = container("mkdir -p /dev/infiniband && mount --make-shared /sys");
  const auto opened = ContainerProcess::open(shared.pid());
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message(),
              AllOf(HasSubstr("mounted at /sys/class/infiniband of"), HasSubstr("with a /sys that")));
  const Child slave =
      container("mkdir -p /dev/infiniband && mount --make-shared /sys && mount --make-slave /sys");
  EXPECT_TRUE(ContainerProcess::open(slave.pid()).ok());
}

TEST_F(AttachedProcess, InAChrootIsRefused) {
  const Child child([] {
    if (::unshare(CLONE_NEWNS) != 0 || ::chroot("/tmp") != 0) ::_exit(1);
  });
  const auto opened = ContainerProcess::open(child.pid());
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message(), HasSubstr("(chroot)"));
}

TEST_F(AttachedProcess, IsNobodyElseOnceItsNumberIsUsedAgain) {
  Child child = container();
  const auto opened = ContainerProcess::open(child.pid());
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_TRUE(opened->alive());
  child.end();
  EXPECT_FALSE(opened->alive());
  EXPECT_TRUE(opened->variables({"PATH"}).empty());
  EXPECT_EQ(opened->has_own_network().error().code, Errc::ended);
}

TEST_F(AttachedProcess, ThatEndsWhileItIsAttachedIsSaidToHaveEnded) {
  Child child = container();
  auto opened = ContainerProcess::open(child.pid());
  ASSERT_TRUE(opened.ok());
  child.end();
  EXPECT_EQ(opened->mount_devices(0, {}, false).error().code, Errc::ended);
  EXPECT_EQ(opened->raise_memlock(0, std::nullopt).error().code, Errc::ended);
}

TEST_F(AttachedProcess, TheFolderIsMadeByWhoOwnsItsDev) {
  for (const auto& [prepare, owner] :
       std::map<std::string, unsigned>{{"true", 0}, {"chown 65534:65534 /dev && chmod 755 /dev", 65534}}) {
    const Child child = container(prepare.c_str());
    const UniqueFd ns = mounts_of(child);
    const auto maker = owner_of_dev(ns.get());
    ASSERT_TRUE(maker.has_value());
    EXPECT_EQ(maker->uid, owner);
    EXPECT_TRUE(mount_over_infiniband(ns.get(), devices(), maker).ok());
    EXPECT_TRUE(shows_uverbs(child));
  }
}

TEST_F(AttachedProcess, ALinkInItsDevIsFollowedNowhere) {
  const Child child = container("ln -s /tmp /dev/infiniband");
  const UniqueFd ns = mounts_of(child);
  EXPECT_EQ(mount_over_infiniband(ns.get(), devices(), owner_of_dev(ns.get())).error().sys_errno, ELOOP);
}

TEST_F(AttachedProcess, ItsDevicesAreTakenAwayFromOutsideOnlyWhileTheyAreOnTop) {
  const Child child = container();
  LiveStoredSteps stored(folder_);
  const std::string id = id_of(child);
  EXPECT_THAT(*stored.device_mounts_of(journaled(child), id), IsEmpty()) << "nothing of ours is there";
  ASSERT_TRUE(mount_over_infiniband(mounts_of(child).get(), devices()).ok());
  const auto first = *stored.device_mounts_of(journaled(child), id);
  EXPECT_THAT(first, SizeIs(1));
  EXPECT_THAT(*stored.device_mounts_of(journaled(child), "1"), IsEmpty()) << "it is in another container";
  // Who comes into the container after us mounts over it.
  ASSERT_TRUE(mount_over_infiniband(mounts_of(child).get(), devices()).ok());
  EXPECT_TRUE(stored.unmount_devices(journaled(child), id, first).ok());
  EXPECT_TRUE(shows_uverbs(child)) << "that is another's";
  const auto second = *stored.device_mounts_of(journaled(child), id);
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_NE(second[0].device, first[0].device);
  EXPECT_TRUE(stored.unmount_devices(journaled(child), "1", second).ok());
  EXPECT_TRUE(shows_uverbs(child)) << "it is in another container";
  EXPECT_TRUE(stored.unmount_devices(journaled(child), id, second).ok());
  EXPECT_TRUE(stored.unmount_devices(journaled(child), id, first).ok());
  EXPECT_FALSE(shows_uverbs(child));
  JournaledProcess other = journaled(child);
  other.start += "1";
  EXPECT_THAT(*stored.device_mounts_of(other, id), IsEmpty()) << "the number is another process' by now";
}

constexpr const char* with_classes =
    "mkdir -p /dev/infiniband && mount -t tmpfs sysfs /sys && "
    "mkdir -p /sys/class/infiniband /sys/class/infiniband_verbs /sys/class/infiniband_mad";

TEST_F(AttachedProcess, ItsClassesAreTakenAwayFromOutsideOnlyWhileTheyAreOnTop) {
  const Child child = container(with_classes);
  LiveStoredSteps stored(folder_);
  const std::string id = id_of(child);
  const auto show = [&] {
    std::vector<HcaClass> classes;
    for (const std::string& place : places_of_mounts())
      if (place != place_of_devices) classes.push_back({place, make_small_tmpfs().value(), 0, {}});
    EXPECT_THAT(*mount_hca_classes(mounts_of(child).get(), classes), SizeIs(3));
  };
  show();
  const auto first = *stored.device_mounts_of(journaled(child), id);
  EXPECT_THAT(first, SizeIs(3)) << "also when the devices are taken away already";
  show();
  EXPECT_TRUE(stored.unmount_devices(journaled(child), id, first).ok());
  const auto second = *stored.device_mounts_of(journaled(child), id);
  ASSERT_THAT(second, SizeIs(3));
  EXPECT_NE(second[0].device, first[0].device) << "that is another's";
  EXPECT_TRUE(stored.unmount_devices(journaled(child), id, second).ok());
  EXPECT_TRUE(stored.unmount_devices(journaled(child), id, first).ok());
  EXPECT_THAT(*stored.device_mounts_of(journaled(child), id), IsEmpty());
}

TEST_F(AttachedProcess, AFileSystemOfItsOwnIsNotOursWhateverItIsCalled) {
  const Child child = container(
      (std::string(with_classes) +
       " && mount -t ramfs container-ib /dev/infiniband && touch /sys/class/infiniband/.container-ib")
          .c_str());
  EXPECT_THAT(*LiveStoredSteps(folder_).device_mounts_of(journaled(child), id_of(child)), IsEmpty());
}

// ---- its network

class NetworkOfAProcess : public AttachedProcess {
 protected:
  std::string netns() const { return folder_ + "/netns-0"; }
  PinNetns pin(const Child& child) const {
    const auto process = identity_of(child.pid());
    return {netns(), process.pid, process.start};
  }
  void TearDown() override {
    (void)unpin_network_namespace(netns());
    (void)::umount2(folder_.c_str(), MNT_DETACH);
    AttachedProcess::TearDown();
  }
};

TEST_F(NetworkOfAProcess, IsKeptByAFileAndLetGoOf) {
  Child child = container("true", CLONE_NEWNET);
  const auto inode = namespace_of_process(child.pid(), "net");
  LiveKernel kernel(folder_);
  const PinNetns action = pin(child);
  ASSERT_TRUE(kernel.apply(action).ok());
  child.end();
  {
    const auto kept = open_pinned_network_namespace(netns());
    ASSERT_TRUE(kept.ok()) << kept.error().message();
    struct stat status {};
    ASSERT_EQ(::fstat(kept->get(), &status), 0);
    EXPECT_EQ(status.st_ino, *inode);
  }
  EXPECT_TRUE(kernel.verify(action).ok());
  EXPECT_TRUE(kernel.undo(action).ok());
  EXPECT_TRUE(kernel.undo(action).ok()) << "twice";
  EXPECT_FALSE(kernel.verify(action).ok());
}

TEST_F(NetworkOfAProcess, OfAnotherProcessWithTheSameNumberIsNotTaken) {
  const Child child = container("true", CLONE_NEWNET);
  PinNetns action = pin(child);
  action.start += "1";
  EXPECT_EQ(LiveKernel(folder_).apply(action).error().code, Errc::ended);
  EXPECT_FALSE(std::filesystem::exists(netns()));
}

TEST_F(NetworkOfAProcess, OfTheNodeGetsNoInterface) {
  const Child child = container("true");
  const auto opened = ContainerProcess::open(child.pid());
  ASSERT_TRUE(opened.ok());
  EXPECT_THAT(opened->has_own_network().error().message(),
              AllOf(HasSubstr("the node's own network"), HasSubstr("verbs")));
  EXPECT_FALSE(LiveKernel(folder_).apply(pin(child)).ok());
}

// Whoever is root there could change the settings of a PF's VFs through an IPoIB child.
TEST_F(NetworkOfAProcess, ThatItsUserAdministersGetsNoInterface) {
  const Child child([] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0) ::_exit(1);
  });
  const auto opened = ContainerProcess::open(child.pid());
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_THAT(opened->has_own_network().error().message(),
              AllOf(HasSubstr("belongs to a user namespace"), HasSubstr("verbs")));
}

// ---- journals of attachments beside those of steps

TEST_F(AttachedProcess, ItsJournalIsFoundAmongThoseOfStepsAndForgotten) {
  const auto opened_as = [](const char* pid) {
    Opened open;
    open.stepd.pid = pid;
    return Record{1, Mark::done, open};
  };
  {
    StateDir step(folder_ + "/state"), container(folder_ + "/state");
    ASSERT_TRUE(step.create("17.0", opened_as("1")).ok());
    ASSERT_TRUE(container.create("pid-4711", opened_as("4711")).ok());
  }
  const std::string state = folder_ + "/state";
  std::filesystem::create_directory(state + "/pid-x");
  auto steps = stored_steps(state);
  ASSERT_TRUE(steps.ok());
  ASSERT_EQ(steps->size(), 2U);
  EXPECT_EQ((*steps)[1].name, "pid-4711");
  LiveStoredSteps stored(state);
  ASSERT_TRUE(stored.note("pid-4711", {2, Mark::undone, DevicesMounted{0, "", "77"}}).ok());
  const auto noted = stored_step(state, "pid-4711");
  ASSERT_TRUE(noted->records.ok()) << noted->records.error().message();
  ASSERT_EQ(noted->records->size(), 2U);
  EXPECT_EQ(container_of(*noted->records), "77");
  EXPECT_TRUE(stored.forget("pid-4711").ok());
  EXPECT_TRUE(stored.forget("pid-4711").ok()) << "twice";
  EXPECT_EQ(stored_steps(state)->size(), 1U);
}

}  // namespace
}  // namespace cib::test
