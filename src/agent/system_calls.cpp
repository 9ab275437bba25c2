#include "agent/system_calls.hpp"

#include <linux/bpf.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace cib {

namespace {

struct Group {
  std::string_view reason;
  std::vector<int> calls;
};

const Group& running() {
  static const Group group = {
      "running at all: memory, signals, the end",
      {SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
       SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(rseq), SCMP_SYS(set_robust_list), SCMP_SYS(getrandom),
       SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
       SCMP_SYS(exit), SCMP_SYS(exit_group)}};
  return group;
}

// What the agent needs, and what for. Calls that take over where another one is missing (newfstatat for
// statx) are listed beside it: which one is made is the C library's choice. Numbers that this machine does
// not have are negative, and libseccomp passes over them.
const std::vector<Group>& needed_calls() {
  static const std::vector<Group> groups = {
    running(),
    {"knowing who and when",
     {SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
      SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
      SCMP_SYS(time), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep)}},
    {"reading the site's file, /proc, /sys and cgroups",
     {SCMP_SYS(open),       SCMP_SYS(openat),     SCMP_SYS(openat2),  SCMP_SYS(close),
      SCMP_SYS(read),       SCMP_SYS(pread64),    SCMP_SYS(readv),    SCMP_SYS(lseek),
      SCMP_SYS(stat),       SCMP_SYS(fstat),      SCMP_SYS(lstat),    SCMP_SYS(newfstatat),
      SCMP_SYS(statx),      SCMP_SYS(statfs),     SCMP_SYS(fstatfs),  SCMP_SYS(access),
      SCMP_SYS(faccessat),  SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
      SCMP_SYS(getdents64), SCMP_SYS(getcwd),     SCMP_SYS(fcntl),    SCMP_SYS(dup),
      SCMP_SYS(close_range)}},
    {"writing the journal, the node's structure and cgroup.procs",
     {SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
      SCMP_SYS(rmdir), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat),
      SCMP_SYS(renameat2), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(flock)}},
    {"waiting and talking",
     {SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
      SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
      SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockname),
      SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(shutdown)}},
    {"the tasks: their ends, their limits, killing what is left of a dead step",
     {SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal), SCMP_SYS(prlimit64), SCMP_SYS(kill), SCMP_SYS(wait4),
      SCMP_SYS(waitid)}},
    {"work in a task's mount namespace: a tmpfs with device nodes over /dev/infiniband, links in /sys/class",
     {SCMP_SYS(setns), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(mount_setattr),
      SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(move_mount), SCMP_SYS(umount2), SCMP_SYS(mknod),
      SCMP_SYS(mknodat), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
      SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(umask)}},
    {"network namespaces: kept by a file, their sysfs over a task's /sys, a listening socket in them",
     {SCMP_SYS(mount), SCMP_SYS(open_tree), SCMP_SYS(listen), SCMP_SYS(socketpair)}},
    {"hwloc, in a process of its own: it asks the processors one by one, and where memory is",
     {SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity), SCMP_SYS(get_mempolicy), SCMP_SYS(sysinfo),
      SCMP_SYS(dup2), SCMP_SYS(dup3)}},
#if defined(__SANITIZE_ADDRESS__)
    {"AddressSanitizer and its search for leaks at the end",
     {SCMP_SYS(ptrace), SCMP_SYS(getdents), SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(tgkill)}},
#endif
  };
  return groups;
}

// A call that is allowed with some first arguments only.
struct Limited {
  std::string_view reason;
  int call;
  scmp_arg_cmp first;
};

constexpr scmp_datum_t new_namespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

const std::vector<Limited>& needed_within_limits() {
  static const std::vector<Limited> limited = {
      {"a listening socket in a task's network namespace", SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET)},
      {"the same", SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET6)},
      {"a network namespace, but no other", SCMP_SYS(unshare), SCMP_A0(SCMP_CMP_EQ, CLONE_NEWNET)},
      {"raise lo in it", SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, SIOCSIFFLAGS)},
      {"is a file a namespace", SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, NS_GET_NSTYPE)},
      {"syslog", SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX)},
      {"links and their counters", SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_NETLINK)},
      // clone3() is refused, since a filter cannot look into its flags.
      {"fork, but no namespace", SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, new_namespaces, 0)},
      {"a child that ends with us", SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG)},
      {"which devices a task's cgroup keeps from it", SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, BPF_PROG_QUERY)},
      {"the same", SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, BPF_PROG_GET_FD_BY_ID)},
      {"the same", SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, BPF_OBJ_GET_INFO_BY_FD)},
      {"whose a container's namespace is", SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, NS_GET_USERNS)},
  };
  return limited;
}

// And what the reaper needs besides.
std::vector<Limited> calls_of_reaper_within_limits() {
  std::vector<Limited> limited = needed_within_limits();
  const std::string_view reason = "a container's device program as it was";
  limited.push_back({reason, SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, BPF_PROG_LOAD)});
  limited.push_back({reason, SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, BPF_PROG_ATTACH)});
  return limited;
}

const std::vector<Group>& calls_of_relay() {
  static const std::vector<Group> groups = {
    running(),
    {"knowing who and when",
     {SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time)}},
    {"waiting",
     {SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
      SCMP_SYS(poll), SCMP_SYS(ppoll)}},
    {"the agent: listeners, the end", {SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(close)}},
    {"connections, and syslog",
     {SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(shutdown),
      SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(fcntl)}},
#if defined(__SANITIZE_ADDRESS__)
    {"AddressSanitizer and its search for leaks at the end",
     {SCMP_SYS(ptrace), SCMP_SYS(getdents), SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(getppid),
      SCMP_SYS(tgkill), SCMP_SYS(clone), SCMP_SYS(wait4), SCMP_SYS(openat), SCMP_SYS(read), SCMP_SYS(write),
      SCMP_SYS(readlink), SCMP_SYS(prctl), SCMP_SYS(getdents64), SCMP_SYS(newfstatat), SCMP_SYS(getuid)}},
#endif
  };
  return groups;
}

const std::vector<Limited>& calls_of_relay_within_limits() {
  static const std::vector<Limited> limited = {
      {"to slurmstepd", SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET)},
      {"the same", SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET6)},
      {"syslog", SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX)},
  };
  return limited;
}

using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

// libseccomp returns the negative errno.
Status check(int rc, const char* doing) {
  return rc == 0 ? Status() : Status(error(Errc::kernel, doing, -rc));
}

Status allow_only(const std::vector<Group>& groups, const std::vector<Limited>& within_limits) {
  const Filter filter(::seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), ::seccomp_release);
  if (!filter) return error(Errc::kernel, "seccomp_init", ENOMEM);
  CIB_CHECK(check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1), "log refused system calls"));
  for (const Group& group : groups)
    for (const int call : group.calls)
      CIB_CHECK(check(::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0), "allow a system call"));
  for (const Limited& limited : within_limits)
    CIB_CHECK(check(::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, limited.call, 1, limited.first),
                    "allow a system call within limits"));
  return check(::seccomp_load(filter.get()), "load the system call filter");
}

}  // namespace

Status allow_only_needed_calls() { return allow_only(needed_calls(), needed_within_limits()); }

Status allow_only_calls_of_reaper() { return allow_only(needed_calls(), calls_of_reaper_within_limits()); }

Status allow_only_calls_of_relay() { return allow_only(calls_of_relay(), calls_of_relay_within_limits()); }

}  // namespace cib
