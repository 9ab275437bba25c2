// The messages between slurmstepd, its tasks and the agent.
//
// One SOCK_SEQPACKET socketpair is the lifeline of the step (slurmstepd <-> agent); one more per local task
// is that task's channel, and which channel a message comes from says which task it is; the control socket of
// the relay is between it and the agent. Every message is one frame of one fixed layout; the receiver takes
// nothing from a frame whose header or size is not exactly as expected.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "container_ib/result.hpp"

namespace cib::wire {

inline constexpr std::uint32_t magic = 0x42494331;  // "1CIB" in memory on little-endian machines
inline constexpr std::uint16_t version = 1;  // plugin and agent are installed together; no older one is read

enum class Kind : std::uint16_t {
  // slurmstepd -> agent, on the lifeline
  start = 1,
  channels,      // + file descriptors: the agent's ends, in task order
  task_started,  // + file descriptor: pidfd
  task_exited,   // answered by lines and end
  finish,        // answered by lines and end; the step is over
  // task -> agent, on its channel
  namespaces,  // + file descriptor: mount namespace
  user_variable,
  ready,
  // agent -> task
  network,   // + file descriptor, when the task is to enter that network namespace; answers namespaces if
             // may_be_private(mode) or a container plugin is at work; refuse does it too
  patience,  // the answer takes long; wait for it anew
  ask,       // after ready; answered by user_variable for each of those that are set, and by ready again
  variable,
  grant,    // ends the answer: go on, attached
  decline,  // ends the answer: go on without us; text is one line for the user
  refuse,   // ends the answer: the task must not run; text is one line for the user
  // relay -> agent, on its control socket
  serving,  // once, when it is confined; else refuse, and it ends
  // agent -> relay; end ends it
  listener,  // + file descriptors: listening socket, pidfd of who it is for
  // agent -> slurmstepd and agent -> task
  line,  // one line for the user
  end,
};

struct Header {
  std::uint32_t magic = wire::magic;
  std::uint16_t version = wire::version;
  Kind kind{};
};

// Text in a frame: always NUL-terminated when written by us, cut at the size when read.
template <std::size_t N>
struct Text {
  std::array<char, N> bytes{};

  // False when the text does not fit or holds a NUL; the frame then must not be sent.
  [[nodiscard]] bool set(std::string_view text) {
    if (text.size() >= N || text.find('\0') != std::string_view::npos) return false;
    bytes.fill('\0');
    std::memcpy(bytes.data(), text.data(), text.size());
    return true;
  }
  void set_cut(std::string_view text) {
    if (!set(text.substr(0, N - 1))) bytes.fill('\0');
  }
  std::string get() const { return {bytes.data(), strnlen(bytes.data(), N)}; }
};

inline constexpr std::size_t max_mask_words = 128;  // 8192 processing units, Linux' own limit (NR_CPUS)
inline constexpr std::size_t max_channels = 64;     // a message; the kernel takes up to 253 (SCM_MAX_FD)
inline constexpr unsigned max_local_tasks = 4096;   // a node and step

inline constexpr std::size_t longest_value = 4095;  // of a variable for a task

// A task's variable that has so many characters may have been cut: spank_getenv() fills 1,023 bytes.
inline constexpr std::size_t longest_user_value = 1022;

struct Start {
  static constexpr Kind kind = Kind::start;
  Header header{.kind = kind};
  std::uint32_t job = 0, step = 0;
  std::uint32_t uid = 0;
  std::uint32_t local_tasks = 0, nodes = 0;
  std::uint32_t node_id = 0;  // this node's number in the step, from 0
  std::int32_t stepd_pid = 0;
  std::uint32_t engine = 0;        // 1: the tasks will start a container, as far as can be seen
  std::uint32_t reads_folder = 0;  // 1: by an engine that reads a task's folder (task_folder.hpp)
  std::uint32_t daemon_step = 0;   // 1: the task is mpirun's helper on this node (orted, prted, hydra)
  std::uint32_t shell = 0;         // 1: the task is the batch script or an interactive shell
  std::uint32_t by_default = 0;    // 1: nobody asked but the site (default= in plugstack.conf)
  std::int64_t began_ns = 0;       // CLOCK_MONOTONIC when slurmstepd set about starting the agent
  Text<256> node;
  Text<1024> option;
  Text<1024> config;
  Text<1024> state_dir;
};

struct Channels {
  static constexpr Kind kind = Kind::channels;
  Header header{.kind = kind};
  std::uint32_t first = 0, count = 0;
};

struct TaskStarted {
  static constexpr Kind kind = Kind::task_started;
  Header header{.kind = kind};
  std::uint32_t task = 0;
  std::uint32_t rank = 0;  // the task's number in the step, as users know it
  std::int32_t pid = 0;
  std::uint32_t words = 0;
  std::uint32_t inherited = 0;  // 1: the mask is slurmstepd's own, nothing bound the task
  std::array<std::uint64_t, max_mask_words> mask{};
};

struct TaskExited {
  static constexpr Kind kind = Kind::task_exited;
  Header header{.kind = kind};
  std::uint32_t task = 0;
};

struct Finish {
  static constexpr Kind kind = Kind::finish;
  Header header{.kind = kind};
};

struct Namespaces {
  static constexpr Kind kind = Kind::namespaces;
  Header header{.kind = kind};
  Text<64> container_option;  // "--container-image": a plugin will put the task into a container
};

struct Network {
  static constexpr Kind kind = Kind::network;
  Header header{.kind = kind};
};

struct UserVariable {
  static constexpr Kind kind = Kind::user_variable;
  Header header{.kind = kind};
  Text<64> name;
  Text<1024> value;
};

struct Ready {
  static constexpr Kind kind = Kind::ready;
  Header header{.kind = kind};
  Text<1024> gpus;                   // CUDA_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES
  Text<1024> nics;                   // SLURM_STEP_NICS
  std::uint32_t user_namespace = 0;  // 1: it will start a container that may have one of its own
};

// Which of these variables its user has set.
struct Ask {
  static constexpr Kind kind = Kind::ask;
  Header header{.kind = kind};
  Text<4096> names;  // ',' between
};

struct Patience {
  static constexpr Kind kind = Kind::patience;
  Header header{.kind = kind};
};

struct Variable {
  static constexpr Kind kind = Kind::variable;
  Header header{.kind = kind};
  Text<64> name;
  Text<longest_value + 1> value;
};

struct Grant {
  static constexpr Kind kind = Kind::grant;
  Header header{.kind = kind};
  std::uint32_t memlock_raised = 0;
};

template <Kind K>
struct Message {
  static constexpr Kind kind = K;
  Header header{.kind = kind};
  Text<1024> text;
};
using Decline = Message<Kind::decline>;
using Refuse = Message<Kind::refuse>;
using Line = Message<Kind::line>;

struct Serving {
  static constexpr Kind kind = Kind::serving;
  Header header{.kind = kind};
};

struct Listener {
  static constexpr Kind kind = Kind::listener;
  Header header{.kind = kind};
  std::uint32_t family = 0;                // 4 or 6
  std::uint32_t port = 0;                  // host byte order
  std::array<std::uint8_t, 16> address{};  // as TcpEndpoint has it
};

struct End {
  static constexpr Kind kind = Kind::end;
  Header header{.kind = kind};
};

inline constexpr std::size_t max_frame = sizeof(Variable);

// The kind of a received frame, or corrupt.
Result<Kind> kind_of(const void* bytes, std::size_t size);

// The frame as an M, or corrupt: the header must be M's and the size exact.
template <class M>
Result<M> read_frame(const void* bytes, std::size_t size) {
  static_assert(std::is_trivially_copyable_v<M>);
  CIB_TRY(const Kind kind, kind_of(bytes, size));
  if (kind != M::kind || size != sizeof(M)) return error(Errc::corrupt, "message of unexpected kind or size");
  M message;
  std::memcpy(static_cast<void*>(&message), bytes, sizeof message);
  return message;
}

}  // namespace cib::wire
