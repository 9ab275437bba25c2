// Device rules of cgroups of this machine; /dev/zero and /dev/full stand for uverbs nodes.
#include "adapters/linux/device_cgroup.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/bpf.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fstream>

#include "adapters/linux/mountinfo.hpp"
#include "adapters/linux/unique_fd.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

constexpr DeviceNumber zero{1, 5}, full{1, 7};

void write_to(const std::string& file, const std::string& text) { std::ofstream(file) << text; }

class DeviceCgroup : public Scratch {
 protected:
  void TearDown() override {
    for (auto cgroup = made_.rbegin(); cgroup != made_.rend(); ++cgroup) (void)::rmdir(cgroup->c_str());
    Scratch::TearDown();
  }

  // A cgroup below that one, or, without one, below the root of its hierarchy; empty: there is none here.
  std::string make(bool unified, const std::string& name, const std::string& parent = "") {
    std::string path = parent;
    for (const Mount& mount : own_mounts().value_or({}))
      if (path.empty() && mount.root == "/" && mount.kind == (unified ? "cgroup2" : "cgroup") &&
          (unified || ("," + mount.super + ",").find(",devices,") != std::string::npos))
        path = mount.point;
    if (path.empty()) return path;
    path += "/" + name;
    if (parent.empty()) {
      path += "-XXXXXX";
      if (::mkdtemp(path.data()) == nullptr) return "";
    } else if (::mkdir(path.c_str(), 0755) != 0) {
      return "";
    }
    made_.push_back(path);
    return path;
  }
  std::string make_own(bool unified) { return make(unified, "cib-devices"); }

  static std::string may_open(const Child& child, const char* path) {
    // From within the cgroups of the child: what is asked is who opens.
    const pid_t asker = ::fork();
    if (asker == 0) {
      std::ifstream cgroups("/proc/" + std::to_string(child.pid()) + "/cgroup");
      for (std::string line; std::getline(cgroups, line);)
        for (const Mount& mount : own_mounts().value_or({})) {
          const std::string below = line.substr(line.find(':', line.find(':') + 1) + 1);
          const bool mine = line.starts_with("0::")
                                ? mount.kind == "cgroup2"
                                : line.find(":devices:") != std::string::npos && mount.kind == "cgroup" &&
                                      mount.point.ends_with("/devices");
          if (mine && below.find("cib-devices-") != std::string::npos)
            write_to(mount.point + below + "/cgroup.procs", std::to_string(::getpid()));
        }
      const UniqueFd fd(::open(path, O_RDWR | O_CLOEXEC));
      ::_exit(fd.valid() ? 0 : errno == EPERM ? 1 : 2);
    }
    int status = 0;
    ::waitpid(asker, &status, 0);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 2;
    return code == 0 ? "yes" : code == 1 ? "no" : "error";
  }

  // "Nothing", attached as systemd and runc attach theirs.
  static bool deny_all(const std::string& cgroup, std::uint32_t flags = BPF_F_ALLOW_MULTI) {
    return attach_program(cgroup, no(), flags);
  }
  // It asks the kernel for something before it says so.
  static bool deny_all_by_a_call(const std::string& cgroup) {
    auto program = no();
    bpf_insn call{};
    call.code = BPF_JMP | BPF_CALL;
    call.imm = BPF_FUNC_get_current_uid_gid;
    program.insert(program.begin(), call);
    return attach_program(cgroup, program, BPF_F_ALLOW_MULTI);
  }
  static std::vector<bpf_insn> no() {
    std::vector<bpf_insn> program(2);
    program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    program[1].code = BPF_JMP | BPF_EXIT;
    return program;
  }
  static bool attach_program(const std::string& cgroup, const std::vector<bpf_insn>& instructions,
                             std::uint32_t flags) {
    bpf_attr load{};
    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insns = reinterpret_cast<std::uint64_t>(instructions.data());
    load.insn_cnt = static_cast<__u32>(instructions.size());
    load.license = reinterpret_cast<std::uint64_t>("GPL");
    const UniqueFd program(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load)));
    const UniqueFd directory(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    bpf_attr attach{};
    attach.target_fd = static_cast<__u32>(directory.get());
    attach.attach_bpf_fd = static_cast<__u32>(program.get());
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = flags;
    return ::syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) == 0;
  }

  // What was changed.
  static Result<std::vector<WidenedCgroup>> widened_for(pid_t pid, const std::vector<DeviceNumber>& devices) {
    CIB_TRY(auto cgroups, device_cgroups_to_widen(pid, devices));
    for (const WidenedCgroup& one : cgroups.to_widen) {
      EXPECT_EQ(verify_device_cgroup(one).error().code, Errc::changed);
      CIB_CHECK(widen_device_cgroup(one));
      EXPECT_TRUE(verify_device_cgroup(one).ok());
    }
    return cgroups.to_widen;
  }

  static Child process_in(const std::string& cgroup) {
    return Child([&] { write_to(cgroup + "/cgroup.procs", std::to_string(::getpid())); });
  }

 private:
  std::vector<std::string> made_;
};

TEST_F(DeviceCgroup, OfVersion2IsWidenedByTheseDevicesAndNarrowedAgain) {
  for (const std::uint32_t flags :
       {std::uint32_t{BPF_F_ALLOW_MULTI}, std::uint32_t{BPF_F_ALLOW_OVERRIDE}, 0U}) {
    const std::string own = make_own(true);
    if (own.empty()) GTEST_SKIP() << "this machine has no cgroup2";
    if (!deny_all(own, flags)) GTEST_SKIP() << "this kernel takes no device programs";
    const Child container = process_in(own);
    ASSERT_EQ(may_open(container, "/dev/zero"), "no");
    EXPECT_THAT(*devices_kept_from(container.pid(), {zero, full}), testing::ElementsAre(zero, full));
    const auto widened = widened_for(container.pid(), {zero});
    ASSERT_TRUE(widened.ok()) << widened.error().message();
    ASSERT_EQ(widened->size(), 1U);
    EXPECT_EQ(may_open(container, "/dev/zero"), "yes");
    EXPECT_EQ(may_open(container, "/dev/full"), "no");
    EXPECT_THAT(*devices_kept_from(container.pid(), {zero, full}), testing::ElementsAre(full));
    EXPECT_THAT(*widened_for(container.pid(), {zero}), testing::IsEmpty()) << "it may already";
    ASSERT_TRUE(narrow_device_cgroup(widened->front()).ok());
    EXPECT_EQ(may_open(container, "/dev/zero"), "no");
    ASSERT_TRUE(narrow_device_cgroup(widened->front()).ok()) << "somebody has been there";
  }
}

// As crun has it: the program is on the scope, and the processes are in a cgroup below.
TEST_F(DeviceCgroup, OfVersion2IsFoundAboveTheProcessToo) {
  const std::string scope = make_own(true);
  if (scope.empty()) GTEST_SKIP() << "this machine has no cgroup2";
  const std::string below = make(true, "container", scope);
  if (!deny_all(scope)) GTEST_SKIP() << "this kernel takes no device programs";
  const Child container = process_in(below);
  const auto widened = widened_for(container.pid(), {zero});
  ASSERT_TRUE(widened.ok()) << widened.error().message();
  ASSERT_EQ(widened->size(), 1U);
  EXPECT_EQ(widened->front().directory, scope);
  EXPECT_EQ(may_open(container, "/dev/zero"), "yes");
}

TEST_F(DeviceCgroup, ThatOthersAreInIsNotWidened) {
  const std::string shared = make_own(true);
  if (shared.empty()) GTEST_SKIP() << "this machine has no cgroup2";
  const std::string one = make(true, "one", shared), other = make(true, "other", shared);
  if (!deny_all(shared)) GTEST_SKIP() << "this kernel takes no device programs";
  const Child container = process_in(one), stranger = process_in(other);
  const auto widened = widened_for(container.pid(), {zero});
  ASSERT_FALSE(widened.ok());
  EXPECT_EQ(widened.error().code, Errc::denied);
  EXPECT_THAT(widened.error().message(), testing::HasSubstr(shared));
  EXPECT_EQ(may_open(container, "/dev/zero"), "no");
}

TEST_F(DeviceCgroup, AboveTheProcessThatOthersAreInIsNotWidened) {
  const std::string shared = make_own(true);
  if (shared.empty()) GTEST_SKIP() << "this machine has no cgroup2";
  const std::string one = make(true, "one", shared);
  if (!deny_all(shared)) GTEST_SKIP() << "this kernel takes no device programs";
  const Child container = process_in(one), stranger = process_in(shared);
  EXPECT_THAT(widened_for(container.pid(), {zero}).error().message(),
              testing::HasSubstr("one of other processes too"));
}

TEST_F(DeviceCgroup, WithAProgramThatNobodyUnderstandsIsNamed) {
  const std::string own = make_own(true);
  if (own.empty()) GTEST_SKIP() << "this machine has no cgroup2";
  if (!deny_all_by_a_call(own)) GTEST_SKIP() << "this kernel takes no device programs";
  const Child container = process_in(own);
  const auto keeping = device_cgroups_to_widen(container.pid(), {zero});
  ASSERT_TRUE(keeping.ok()) << keeping.error().message();
  EXPECT_THAT(keeping->to_widen, testing::IsEmpty());
  EXPECT_THAT(keeping->unknown, testing::ElementsAre(own));
}

TEST_F(DeviceCgroup, OfVersion1ThatIsASliceIsNotWidened) {
  const std::string top = make_own(false);
  if (top.empty()) GTEST_SKIP() << "this machine has no devices of version 1";
  const std::string slice = make(false, "machine.slice", top);
  write_to(slice + "/devices.deny", "a");
  const Child container = process_in(slice);
  const auto widened = widened_for(container.pid(), {zero});
  ASSERT_FALSE(widened.ok());
  EXPECT_EQ(widened.error().code, Errc::denied);
  EXPECT_THAT(widened.error().message(), testing::HasSubstr("a slice"));
  EXPECT_EQ(may_open(container, "/dev/zero"), "no");
}

TEST_F(DeviceCgroup, ThatIsASliceIsNotWidened) {
  const std::string top = make_own(true);
  if (top.empty()) GTEST_SKIP() << "this machine has no cgroup2";
  const std::string slice = make(true, "machine.slice", top), scope = make(true, "one.scope", slice);
  if (!deny_all(slice)) GTEST_SKIP() << "this kernel takes no device programs";
  const Child container = process_in(scope);
  EXPECT_THAT(widened_for(container.pid(), {zero}).error().message(), testing::HasSubstr("a slice"));
}

TEST_F(DeviceCgroup, OfVersion1HasItsListChanged) {
  const std::string own = make_own(false);
  if (own.empty()) GTEST_SKIP() << "this machine has no devices of version 1";
  write_to(own + "/devices.deny", "a");
  const Child container = process_in(own);
  ASSERT_EQ(may_open(container, "/dev/zero"), "no");
  const auto widened = widened_for(container.pid(), {zero});
  ASSERT_TRUE(widened.ok()) << widened.error().message();
  EXPECT_EQ(may_open(container, "/dev/zero"), "yes");
  EXPECT_EQ(may_open(container, "/dev/full"), "no");
  ASSERT_EQ(widened->size(), 1U);
  ASSERT_TRUE(narrow_device_cgroup(widened->front()).ok());
  EXPECT_EQ(may_open(container, "/dev/zero"), "no");
}

TEST_F(DeviceCgroup, ThatIsGoneOrAnotherOneIsLeftAlone) {
  EXPECT_TRUE(narrow_device_cgroup({"/sys/fs/cgroup/no/such", "17", {zero}}).ok());
  EXPECT_TRUE(narrow_device_cgroup({folder_, "1", {zero}}).ok());
  EXPECT_EQ(widen_device_cgroup({folder_, "1", {zero}}).error().code, Errc::not_found);
}

}  // namespace
}  // namespace cib::test
