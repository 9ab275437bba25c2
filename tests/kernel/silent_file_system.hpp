// A FUSE file system with one file in it, whose server leaves some requests without an answer for ever, or
// the first of them until it is told to go on. Whoever made such a request cannot be killed before it is
// answered or the server has ended.
#pragma once

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "adapters/linux/unique_fd.hpp"
#include "support/signal_process.hpp"

namespace cib::test {

inline constexpr const char* fuse_device = "/dev/fuse";

struct Silence {
  std::uint32_t about;                   // FUSE_LOOKUP, FUSE_FLUSH...
  std::string_view of_name = "";         // of a look-up
  std::uint32_t seconds_to_keep = 3600;  // how long the kernel believes attributes without asking again
  bool until_continued = false;          // the server stops (SIGSTOP), and answers after SIGCONT
};

class FuseServer {
 public:
  FuseServer(int device, Silence silence) : device_(device), silence_(silence) {}

  // Until the file system is unmounted.
  [[noreturn]] void serve() {
    static std::array<char, 1 << 17> request;
    for (;;) {
      const ssize_t size = ::read(device_, request.data(), request.size());
      if (size < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
      if (size < 0 && errno == EPERM) continue;  // not mounted yet
      if (size < static_cast<ssize_t>(sizeof(fuse_in_header))) ::_exit(0);
      fuse_in_header header;
      std::memcpy(&header, request.data(), sizeof header);
      const char* body = request.data() + sizeof header;
      if (header.opcode == silence_.about && (header.opcode != FUSE_LOOKUP || silence_.of_name == body)) {
        if (!silence_.until_continued) continue;
        (void)::raise(SIGSTOP);
        silence_.about = 0;
      }
      answer(header, body);
    }
  }

 private:
  static constexpr std::uint64_t file = 2;

  template <class Out>
  void reply(const fuse_in_header& to, const Out& out) {
    struct {
      fuse_out_header header;
      Out body;
    } frame{.header = {.len = sizeof(fuse_out_header) + sizeof out, .error = 0, .unique = to.unique},
            .body = out};
    (void)!::write(device_, &frame, frame.header.len);
  }
  void refuse(const fuse_in_header& to, int why) {
    const fuse_out_header header{.len = sizeof header, .error = -why, .unique = to.unique};
    (void)!::write(device_, &header, sizeof header);
  }
  static fuse_attr attributes(std::uint64_t node) {
    fuse_attr attr{};
    attr.ino = node;
    attr.mode = node == file ? S_IFREG | 0644 : S_IFDIR | 0755;
    attr.nlink = 1;
    attr.uid = ::getuid();
    attr.gid = ::getgid();
    return attr;
  }

  void answer(const fuse_in_header& in, const char* body) {
    switch (in.opcode) {
      case FUSE_INIT: {
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = 31;
        out.max_write = 4096;
        return reply(in, out);
      }
      case FUSE_GETATTR: {
        fuse_attr_out out{};
        out.attr_valid = silence_.seconds_to_keep;
        out.attr = attributes(in.nodeid);
        return reply(in, out);
      }
      case FUSE_LOOKUP: {
        if (std::string_view(body) != "file") return refuse(in, ENOENT);
        fuse_entry_out out{};
        out.nodeid = file;
        out.entry_valid = 3600;
        out.attr_valid = silence_.seconds_to_keep;
        out.attr = attributes(file);
        return reply(in, out);
      }
      case FUSE_STATFS: {
        fuse_statfs_out out{};
        out.st.namelen = 255;
        out.st.bsize = 4096;
        return reply(in, out);
      }
      case FUSE_OPEN:
      case FUSE_OPENDIR:
        return reply(in, fuse_open_out{});
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT:
        return;
      default:
        return refuse(in, ENOSYS);
    }
  }

  int device_;
  Silence silence_;
};

// Mounts one at a directory of the calling process' mount namespace. Its server is a child that ends with the
// calling process, and with end_server(); -1: it cannot be had here.
inline pid_t mount_silent_file_system(const std::string& directory, Silence silence) {
  UniqueFd device(::open(fuse_device, O_RDWR | O_CLOEXEC));
  if (!device) return -1;
  const pid_t server = ::fork();
  if (server == 0) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Nothing else of ours may stay open, or be closed, because of it.
    if (device.get() > 3)
      (void)::close_range(3, static_cast<unsigned>(device.get()) - 1, CLOSE_RANGE_UNSHARE);
    (void)::close_range(static_cast<unsigned>(device.get()) + 1, ~0U, CLOSE_RANGE_UNSHARE);
    FuseServer(device.get(), silence).serve();
  }
  const std::string options = "fd=" + std::to_string(device.get()) + ",rootmode=40000,user_id=0,group_id=0";
  if (::mount("silent", directory.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0) return server;
  signal_process(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  return -1;
}

}  // namespace cib::test
