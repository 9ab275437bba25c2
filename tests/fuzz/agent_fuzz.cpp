// The agent's decoder and dispatch: any frames with any descriptors, from slurmstepd and from the tasks, in
// any order. It goes on until slurmstepd ends, ends then, and keeps no descriptor.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "adapters/linux/process.hpp"
#include "agent/agent.hpp"
#include "fuzz/fuzz_input.hpp"
#include "support/own_processes.hpp"
#include "support/signal_process.hpp"

namespace {

using namespace cib;

// The agent kills what it takes for the rest of a step.
[[maybe_unused]] const bool apart = test::enter_own_processes();

constexpr unsigned tasks = 2;
constexpr int most_frames = 64, patience_ms = 1000;

// What all inputs share: a folder, and a process in a mount namespace of its own (as root) that may be a
// task.
class Scenery {
 public:
  Scenery() {
    char name[] = "/tmp/cib-fuzz-XXXXXX";
    folder = ::mkdtemp(name);
    std::ofstream(folder + "/site.conf").flush();
    file = UniqueFd(::open((folder + "/site.conf").c_str(), O_RDONLY | O_CLOEXEC));
    sockets = make_channel().value();
    host_mount = UniqueFd(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    host_net = UniqueFd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  }
  ~Scenery() {
    end_stepd();
    end_child();
    std::filesystem::remove_all(folder);
  }

  // What stands for slurmstepd; ends with its pipe.
  void provide_stepd() {
    if (stepd > 0) return;
    int life[2];
    fuzz::require(::pipe2(life, O_CLOEXEC) == 0);
    stepd = ::fork();
    if (stepd == 0) {
      (void)::dup2(life[0], 0);
      (void)::close_range(3, ~0U, 0);
      char byte = 0;
      (void)!::read(0, &byte, 1);
      ::_exit(0);
    }
    ::close(life[0]);
    stepd_life_ = UniqueFd(life[1]);
  }
  void end_stepd() {
    if (stepd <= 0) return;
    stepd_life_.reset();
    (void)::waitpid(stepd, nullptr, 0);
    stepd = -1;
  }

  // An agent whose slurmstepd died has killed it.
  void provide_child() {
    if (child > 0 && !has_ended(pidfd.get())) return;
    end_child();
    int ready[2];
    fuzz::require(::pipe2(ready, O_CLOEXEC) == 0);
    child = ::fork();
    if (child == 0) {
      (void)::unshare(CLONE_NEWNS);
      (void)!::write(ready[1], "x", 1);
      for (;;) ::pause();
    }
    char byte = 0;
    (void)!::read(ready[0], &byte, 1);
    for (const int end : ready) ::close(end);
    pidfd = open_pidfd(child).value();
    child_mount =
        UniqueFd(::open(("/proc/" + std::to_string(child) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  }

  int descriptor(unsigned choice) const {
    const int all[] = {child_mount.get(),   pidfd.get(),      file.get(),
                       sockets.first.get(), host_mount.get(), host_net.get()};
    return all[choice % std::size(all)];
  }

  std::string folder;
  pid_t child = -1, stepd = -1;
  UniqueFd pidfd;

 private:
  void end_child() {
    if (child <= 0) return;
    test::signal_process(child, SIGKILL);
    (void)::waitpid(child, nullptr, 0);
    child = -1;
  }

  UniqueFd file, host_mount, host_net, child_mount, stepd_life_;
  std::pair<UniqueFd, UniqueFd> sockets;
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* dir = ::opendir("/proc/self/fd");
  while (::readdir(dir) != nullptr) ++count;
  ::closedir(dir);
  return count;
}

template <class M>
std::string bytes_of(const M& message) {
  return {reinterpret_cast<const char*>(&message), sizeof message};
}

// A frame of a kind, its fields from the input; sometimes cut short, or no frame at all.
std::string make_frame(fuzz::Input& input, const Scenery& scenery) {
  std::string frame;
  switch (input.below(14)) {
    case 0:
      frame = bytes_of(wire::Start{});
      break;
    case 1: {
      wire::Channels message;
      message.first = static_cast<std::uint32_t>(input.number() >> 32);
      message.count = input.below(4);
      return bytes_of(message);
    }
    case 2: {
      wire::TaskStarted message;
      message.task = input.below(4);
      message.pid = input.below(4) == 0 ? 0x7ffffff0 : scenery.child;  // never a stranger's
      message.words = input.below(255) * 2;
      return bytes_of(message);
    }
    case 3:
      frame = bytes_of(wire::TaskExited{});
      break;
    case 4:
      return bytes_of(wire::Finish{});
    case 5:
    case 6:
      return bytes_of(wire::Namespaces{});
    case 7:
    case 8: {
      wire::UserVariable message;
      message.name.set_cut(input.below(2) == 0 ? "UCX_NET_DEVICES" : input.text());
      message.value.set_cut(input.text());
      return bytes_of(message);
    }
    case 9:
    case 10: {
      wire::Ready message;
      message.gpus.set_cut(input.text());
      message.nics.set_cut(input.text());
      return bytes_of(message);
    }
    case 11:
      frame = bytes_of(wire::Variable{});
      break;
    case 12:
      frame = bytes_of(wire::End{});
      break;
    default:
      return input.text();
  }
  const std::string over = input.text();
  frame.replace(0, over.size(), over);
  return frame;
}

void send(int socket, const std::string& frame, const std::vector<int>& fds) {
  if (!frame.empty()) (void)send_bytes(socket, frame.data(), frame.size(), fds, patience_ms);
}

void begin_step(fuzz::Input& input, const Scenery& scenery, int lifeline, std::vector<UniqueFd>& channels) {
  wire::Start start;
  start.job = 1;
  start.local_tasks = tasks;
  start.stepd_pid = scenery.stepd;
  start.option.set_cut(input.below(4) == 0 ? input.text() : "verbs,require=no");
  start.config.set_cut(scenery.folder + "/site.conf");
  start.state_dir.set_cut(scenery.folder + "/state");
  send(lifeline, bytes_of(start), {});
  std::vector<UniqueFd> far;
  std::vector<int> numbers;
  for (unsigned task = 0; task < tasks; ++task) {
    auto ends = make_channel().value();
    channels.push_back(std::move(ends.first));
    far.push_back(std::move(ends.second));
    numbers.push_back(far.back().get());
  }
  wire::Channels message;
  message.count = tasks;
  send(lifeline, bytes_of(message), numbers);
}

void play(fuzz::Input& input, Scenery& scenery) {
  auto ends = make_channel().value();
  std::vector<UniqueFd> channels;
  Agent agent(std::move(ends.second));
  begin_step(input, scenery, ends.first.get(), channels);
  fuzz::require(agent.begin().ok());
  for (int i = 0; i < most_frames && !input.empty() && !agent.over(); ++i) {
    const unsigned to = input.below(tasks + 1);
    const int socket = to == tasks ? ends.first.get() : channels[to].get();
    std::vector<int> fds;
    for (unsigned n = input.below(4); n > 0; --n) fds.push_back(scenery.descriptor(input.byte()));
    send(socket, make_frame(input, scenery), fds);
    fuzz::require(agent.turn(0).ok());
  }
  ends.first.reset();
  scenery.end_stepd();
  for (int i = 0; i < most_frames && !agent.over(); ++i) fuzz::require(agent.turn(0).ok());
  fuzz::require(agent.over());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Scenery scenery;
  scenery.provide_child();
  const std::size_t before = open_descriptors();
  scenery.provide_stepd();
  fuzz::Input input(data, size);
  play(input, scenery);
  fuzz::require(open_descriptors() == before);
  return 0;
}
