#include "relay/serve.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "adapters/linux/seqpacket.hpp"
#include "relay/relay.hpp"
#include "relay/unprivileged.hpp"

namespace cib {

namespace {

constexpr int refusal_timeout_ms = 1'000;
constexpr rlim_t descriptors =
    65536;  // 4096 tasks with a listener, its task and four connections each: 40960

// As many of them as the limit that slurmd was started with allows.
Result<std::size_t> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return error(Errc::kernel, "read RLIMIT_NOFILE", errno);
  limit.rlim_cur = std::min(limit.rlim_max, descriptors);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return error(Errc::kernel, "set RLIMIT_NOFILE", errno);
  return static_cast<std::size_t>(limit.rlim_cur);
}

// slurmstepd is spared when memory runs out, and so are its children; who works on a user's bytes is not.
Status be_nothing_special() {
  const UniqueFd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), "0", 1) != 1)
    return error(Errc::kernel, "write /proc/self/oom_score_adj", errno);
  return {};
}

Result<std::size_t> confine(int control, int owner) {
  if (::close_range(static_cast<unsigned>(std::max(control, owner)) + 1, ~0U, 0) != 0)
    return error(Errc::kernel, "close_range", errno);
  for (const int fd : {control, owner})
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return error(Errc::kernel, "descriptor is not open", errno);
  if (::chdir("/") != 0) return error(Errc::kernel, "chdir /", errno);
  (void)::prctl(PR_SET_NAME, "cib-relay", 0, 0,
                0);  // for ps and top; after exec of /proc/self/exe it is "exe"
  CIB_TRY(const std::size_t max_descriptors, raise_descriptor_limit());
  CIB_CHECK(be_nothing_special());
  CIB_CHECK(become_nobody());
  return max_descriptors;
}

}  // namespace

Status serve_relay(UniqueFd control, UniqueFd owner, Status (*limit_calls)()) {
  auto max_descriptors = confine(control.get(), owner.get());
  if (max_descriptors)
    if (auto status = limit_calls(); !status) max_descriptors = std::move(status).error();
  if (!max_descriptors) {
    wire::Refuse why;
    why.text.set_cut(max_descriptors.error().message());
    (void)send_frame(control.get(), why, refusal_timeout_ms);
    return max_descriptors.error();
  }
  return Relay(std::move(control), std::move(owner), *max_descriptors).run();
}

}  // namespace cib
