// The relay's real process between two real network namespaces: this test's own, where servers are, and that
// of a "task".
#include <gmock/gmock.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/deadline.hpp"
#include "adapters/linux/listen_in_network.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/linux/seqpacket.hpp"
#include "agent/confine.hpp"
#include "agent/relay_process.hpp"
#include "kernel/sockets.hpp"
#include "relay/pending.hpp"
#include "support/paths.hpp"
#include "support/temp_tree.hpp"

namespace cib::test {
namespace {

constexpr int patience_ms = 10'000;  // for what must happen
constexpr int moment_ms = 200;       // in which something must not happen
constexpr std::size_t cap = 64;      // connections of a step with few tasks

bool within(int timeout_ms, const auto& holds) { return poll_until(Deadline(timeout_ms), 5, holds); }

bool readable(int fd, int timeout_ms) {
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&p, 1, timeout_ms) == 1;
}

// No call on it waits for ever, and no byte for others; the latter as in PMIx' own sockets.
void prepare(int socket) {
  const int on = 1;
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval limit{.tv_sec = patience_ms / 1'000, .tv_usec = 0};
  (void)::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  (void)::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

UniqueFd accept_from(const UniqueFd& listening, int timeout_ms = patience_ms) {
  if (!readable(listening.get(), timeout_ms)) return {};
  UniqueFd accepted(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  prepare(accepted.get());
  return accepted;
}

bool say(const UniqueFd& socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// Up to `size` bytes; fewer when the connection ends before.
std::string hear(const UniqueFd& socket, std::size_t size) {
  std::string text;
  std::string buffer(64 * 1024, '\0');
  while (text.size() < size) {
    const ssize_t n = ::recv(socket.get(), buffer.data(), std::min(buffer.size(), size - text.size()), 0);
    if (n <= 0) break;
    text.append(buffer, 0, static_cast<std::size_t>(n));
  }
  return text;
}

// The other end will send no more, in order or not; and not that nothing comes.
bool has_ended_there(const UniqueFd& socket) {
  char byte = 0;
  const ssize_t n = ::recv(socket.get(), &byte, 1, 0);
  return n == 0 || (n < 0 && errno == ECONNRESET);
}

void reset_connection(UniqueFd& socket) {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  socket.reset();
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 2654435761U) >> 13);
  return text;
}

std::string status_of(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key + ":\t")) return line.substr(key.size() + 2);
  return "no " + key;
}

long rss_kib(pid_t pid) { return std::stol(status_of(pid, "VmRSS")); }

std::chrono::nanoseconds cpu_time(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/schedstat");
  long long ns = -1;
  file >> ns;
  return std::chrono::nanoseconds(ns);
}

std::size_t descriptors(pid_t pid) {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

void set_sysctl(const std::string& name, const std::string& value) {
  std::ofstream file("/proc/sys/net/ipv4/" + name);
  file << value << std::flush;
  ASSERT_TRUE(file.good()) << name;
}

// Of how many descriptors it may have from now on. Done as its user, which may where root without
// CAP_SYS_RESOURCE may not.
bool limit_descriptors(pid_t relay, std::size_t count) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    rlimit limit{};
    if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
    if (::prlimit(relay, RLIMIT_NOFILE, nullptr, &limit) != 0) ::_exit(1);
    limit.rlim_cur = count;
    ::_exit(::prlimit(relay, RLIMIT_NOFILE, &limit, nullptr) == 0 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status == 0;
}

struct Relaying : testing::Test {
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_TRUE(enter_new_network()) << std::strerror(errno);
    home_ = network_of(::getpid());
    stepd_ = std::make_unique<Child>([] {});  // first, so that it has no copy of what is opened below
    task_ = std::make_unique<Child>([] {
      if (!enter_new_network()) ::_exit(1);
    });
    network_ = network_of(task_->pid());
    auto relay = start_relay(open_pidfd(stepd_->pid()).value().get(), agent_file());
    ASSERT_TRUE(relay.ok()) << relay.error().message();
    relay_ = std::move(*relay);
  }
  void TearDown() override { end_relay(std::move(relay_)); }

  // Everything that a task's connection to that endpoint needs but the server.
  void relay_to(const TcpEndpoint& endpoint) {
    const auto socket = listen_in_network(network_.get(), endpoint);
    ASSERT_TRUE(socket.ok()) << socket.error().message();
    const auto status =
        relay_listener(relay_, socket->get(), open_pidfd(task_->pid()).value().get(), endpoint);
    ASSERT_TRUE(status.ok()) << status.error().message();
  }

  // A connection from the task's network.
  UniqueFd client(const TcpEndpoint& endpoint) const {
    if (::setns(network_.get(), CLONE_NEWNET) != 0) std::abort();
    const SocketAddress address(endpoint);
    UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    prepare(socket.get());
    const bool connected = ::connect(socket.get(), address.get(), address.size()) == 0;
    if (::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
    if (!connected) socket.reset();
    return socket;
  }

  bool relay_ends(int timeout_ms) const { return readable(relay_.pidfd.get(), timeout_ms); }

  // What the relay uses of a processor in half a second in which nothing happens.
  std::chrono::nanoseconds idle_cpu() const {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const auto before = cpu_time(relay_.pid);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    return cpu_time(relay_.pid) - before;
  }

  UniqueFd home_, network_;
  std::unique_ptr<Child> task_, stepd_;
  RelayProcess relay_;
};

// One that asked again and again would use all that it gets of half a second; a wakeup costs milliseconds on
// a busy machine.
constexpr std::chrono::milliseconds nearly_nothing(25);

// One pair of connected ends through the relay.
struct OnePair : Relaying {
  void SetUp() override {
    Relaying::SetUp();
    if (HasFatalFailure() || IsSkipped()) return;
    server_ = listener(v4(40000));
    relay_to(v4(40000));
    task_end_ = client(v4(40000));
    server_end_ = accept_from(server_);
    ASSERT_TRUE(task_end_.valid() && server_end_.valid());
  }
  UniqueFd server_, task_end_, server_end_;
};

TEST_F(Relaying, CarriesBothFamiliesBothWays) {
  for (const TcpEndpoint& endpoint : {v4(40000), v4(40001, 7), v6(40000)}) {
    const UniqueFd server = listener(endpoint);
    relay_to(endpoint);
    const UniqueFd here = client(endpoint), there = accept_from(server);
    ASSERT_TRUE(here.valid() && there.valid()) << endpoint.text();
    EXPECT_TRUE(say(here, "question"));
    EXPECT_EQ(hear(there, 8), "question");
    EXPECT_TRUE(say(there, "answer"));
    EXPECT_EQ(hear(here, 6), "answer");
  }
}

TEST_F(OnePair, SmallMessagesAreNotHeldBack) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) {
    // Two writes before an answer are what Nagle's algorithm and a delayed acknowledgement turn into 40 ms:
    // the relay must pass on each as it comes.
    ASSERT_TRUE(say(task_end_, "a") && say(task_end_, "b"));
    ASSERT_EQ(hear(server_end_, 2), "ab");
    ASSERT_TRUE(say(server_end_, "c") && say(server_end_, "d"));
    ASSERT_EQ(hear(task_end_, 2), "cd");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_F(Relaying, AHundredClientsOfThirtyTasksAtOnce) {
  const UniqueFd server = listener({.family = IpFamily::v4, .address = {}, .port = 40000});
  for (std::uint8_t task = 1; task <= 30; ++task) relay_to(v4(40000, task));
  std::vector<UniqueFd> here, there;
  for (unsigned i = 0; i < 100; ++i) {
    here.push_back(client(v4(40000, static_cast<std::uint8_t>(1 + i % 30))));
    ASSERT_TRUE(here.back().valid()) << i;
    ASSERT_TRUE(say(here.back(), std::to_string(1000 + i)));
  }
  for (unsigned i = 0; i < 100; ++i) {
    there.push_back(accept_from(server));
    ASSERT_TRUE(there.back().valid()) << i;
  }
  for (const UniqueFd& end : there) ASSERT_TRUE(say(end, hear(end, 4)));
  for (unsigned i = 0; i < 100; ++i) EXPECT_EQ(hear(here[i], 4), std::to_string(1000 + i));
}

TEST_F(OnePair, ASlowReaderStopsTheWriterAndNotTheRelay) {
  const std::string sent = pattern(10U << 20);
  const long before = rss_kib(relay_.pid);
  for (const bool up : {true, false}) {
    const UniqueFd& source = up ? task_end_ : server_end_;
    const UniqueFd& sink = up ? server_end_ : task_end_;
    bool all_sent = false;
    std::jthread writer([&] { all_sent = say(source, sent); });
    std::string received;
    long highest = 0;
    while (received.size() < sent.size()) {
      const std::string piece = hear(sink, std::min<std::size_t>(256 * 1024, sent.size() - received.size()));
      ASSERT_FALSE(piece.empty()) << "after " << received.size();
      received += piece;
      highest = std::max(highest, rss_kib(relay_.pid));
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    writer.join();
    EXPECT_TRUE(all_sent);
    EXPECT_EQ(received, sent) << (up ? "up" : "down");
    EXPECT_LT(highest - before, 1024) << "KiB held for one connection";
    RecordProperty(up ? "rss_kib_up" : "rss_kib_down", std::to_string(highest - before));
  }
}

TEST_F(OnePair, WhoDoesNotReadStopsTheWriterForGood) {
  (void)::fcntl(task_end_.get(), F_SETFL, O_NONBLOCK);
  const std::string piece(64 * 1024, 'x');
  std::size_t sent = 0;
  // The kernel's own buffers take some megabytes; a relay that went on reading would take everything.
  const auto stands_still = [&] {
    const ssize_t n = ::send(task_end_.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<std::size_t>(n);
    if (n > 0) return false;
    pollfd p{.fd = task_end_.get(), .events = POLLOUT, .revents = 0};
    return ::poll(&p, 1, moment_ms) == 0;
  };
  while (sent < (256U << 20) && !stands_still()) {
  }
  EXPECT_LT(sent, 64U << 20);
  EXPECT_LT(idle_cpu(), nearly_nothing);
  EXPECT_EQ(hear(server_end_, sent).size(), sent);
}

TEST_F(OnePair, EitherSideCanBeDoneFirst) {
  ASSERT_TRUE(say(task_end_, "last"));
  ::shutdown(task_end_.get(), SHUT_WR);
  EXPECT_EQ(hear(server_end_, 4), "last");
  EXPECT_TRUE(has_ended_there(server_end_));
  EXPECT_TRUE(say(server_end_, "answer"));
  EXPECT_EQ(hear(task_end_, 6), "answer") << "the other direction was closed too";
  EXPECT_FALSE(readable(task_end_.get(), moment_ms));
  server_end_.reset();
  EXPECT_TRUE(has_ended_there(task_end_));

  const UniqueFd here = client(v4(40000));
  UniqueFd there = accept_from(server_);
  ASSERT_TRUE(here.valid() && there.valid());
  ASSERT_TRUE(say(there, "last"));
  ::shutdown(there.get(), SHUT_WR);
  EXPECT_EQ(hear(here, 4), "last");
  EXPECT_TRUE(has_ended_there(here));
  EXPECT_TRUE(say(here, "answer"));
  EXPECT_EQ(hear(there, 6), "answer");
}

TEST_F(OnePair, TheEndComesAfterAllBytes) {
  const std::string sent = pattern(4U << 20);
  std::jthread writer([&] {
    (void)say(task_end_, sent);
    ::shutdown(task_end_.get(), SHUT_WR);
  });
  EXPECT_EQ(hear(server_end_, sent.size()), sent);
  EXPECT_TRUE(has_ended_there(server_end_));
}

TEST_F(OnePair, AClosedConnectionIsForgotten) {
  const std::size_t with_it = descriptors(relay_.pid);
  task_end_.reset();
  server_end_.reset();
  EXPECT_TRUE(within(patience_ms, [&] { return descriptors(relay_.pid) == with_it - 2; }));
}

TEST_F(OnePair, AServerThatDiesEndsItsClients) {
  reset_connection(server_end_);
  EXPECT_TRUE(has_ended_there(task_end_));
  server_.reset();
  const UniqueFd late = client(v4(40000));
  ASSERT_TRUE(late.valid()) << "the listener of the relay is there";
  EXPECT_TRUE(has_ended_there(late)) << "but nobody behind it";
  EXPECT_LT(idle_cpu(), nearly_nothing);
}

TEST_F(OnePair, AClientThatDiesEndsItsServersConnection) {
  reset_connection(task_end_);
  EXPECT_TRUE(has_ended_there(server_end_));
  const UniqueFd here = client(v4(40000)), there = accept_from(server_);
  EXPECT_TRUE(here.valid() && there.valid()) << "others are not affected";
}

TEST_F(OnePair, AClientThatDiesWhileItsServerDoesNotReadIsForgotten) {
  const std::size_t with_it = descriptors(relay_.pid);
  (void)::fcntl(task_end_.get(), F_SETFL, O_NONBLOCK);
  const std::string piece(64 * 1024, 'x');
  pollfd p{.fd = task_end_.get(), .events = POLLOUT, .revents = 0};
  while (::poll(&p, 1, moment_ms) == 1)
    (void)::send(task_end_.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
  reset_connection(task_end_);
  EXPECT_TRUE(within(patience_ms, [&] { return descriptors(relay_.pid) == with_it - 2; }));
}

TEST_F(Relaying, BeyondTheCapAClientWaitsForAnotherToEnd) {
  const UniqueFd server = listener(v4(40000));
  relay_to(v4(40000));
  std::vector<UniqueFd> here, there;
  for (std::size_t i = 0; i < cap; ++i) {
    here.push_back(client(v4(40000)));
    there.push_back(accept_from(server));
    ASSERT_TRUE(there.back().valid()) << i;
  }
  const UniqueFd extra = client(v4(40000));
  ASSERT_TRUE(extra.valid());
  EXPECT_FALSE(accept_from(server, moment_ms).valid()) << "one more than the cap";
  EXPECT_LT(idle_cpu(), nearly_nothing);
  here[3].reset();
  there[3].reset();
  const UniqueFd served = accept_from(server);
  ASSERT_TRUE(served.valid()) << "not accepted after one has ended";
  EXPECT_TRUE(say(extra, "x"));
  EXPECT_EQ(hear(served, 1), "x");
}

TEST_F(OnePair, WithoutADescriptorForOneMoreAClientWaits) {
  ASSERT_TRUE(limit_descriptors(relay_.pid, descriptors(relay_.pid)));
  const UniqueFd extra = client(v4(40000));
  ASSERT_TRUE(extra.valid());
  EXPECT_FALSE(accept_from(server_, moment_ms).valid());
  EXPECT_LT(idle_cpu(), nearly_nothing) << "it asks again and again";
  EXPECT_TRUE(say(task_end_, "x"));
  EXPECT_EQ(hear(server_end_, 1), "x") << "the others go on";
  ASSERT_TRUE(limit_descriptors(relay_.pid, 1024));
  EXPECT_TRUE(accept_from(server_).valid()) << "nobody asks again";
}

TEST_F(Relaying, StartedWithFewDescriptorsItServesFewerAtOnce) {
  end_relay(std::move(relay_));
  const TempTree tree;
  const std::string script = tree.path("limited");
  tree.file("limited", "#!/bin/sh\nulimit -n 40\nexec " + agent_file() + " relay\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  auto relay = start_relay(open_pidfd(stepd_->pid()).value().get(), script);
  ASSERT_TRUE(relay.ok()) << relay.error().message();
  relay_ = std::move(*relay);
  const UniqueFd server = listener(v4(40000));
  relay_to(v4(40000));
  std::vector<UniqueFd> here, there;
  do {
    here.push_back(client(v4(40000)));
    there.push_back(accept_from(server, moment_ms));
  } while (there.back().valid() && there.size() < cap);
  there.pop_back();
  EXPECT_EQ(there.size(), 11U) << "of 40: 16 of its own, 2 of the task, 2 a connection";
  EXPECT_LT(idle_cpu(), nearly_nothing);
  here[3].reset();
  there[3].reset();
  EXPECT_TRUE(accept_from(server).valid()) << "not accepted after one has ended";
}

TEST_F(Relaying, HalfClosedConnectionsCostNothing) {
  const UniqueFd server = listener(v4(40000));
  relay_to(v4(40000));
  std::vector<UniqueFd> here, there;
  for (unsigned i = 0; i < 20; ++i) {
    here.push_back(client(v4(40000)));
    there.push_back(accept_from(server));
    ASSERT_TRUE(there.back().valid());
    ::shutdown((i % 2 == 0 ? here : there).back().get(), SHUT_WR);
  }
  const auto used = idle_cpu();
  RecordProperty("idle_cpu_us", std::to_string(used.count() / 1000));
  EXPECT_LT(used, nearly_nothing);
}

// The one state in which epoll has something to tell for ever that nobody waits for: both directions of the
// task's socket are shut, and what it sent last cannot be passed on yet.
TEST_F(OnePair, AHangUpThatCannotBePassedOnYetCostsNothing) {
  server_end_.reset();
  task_end_.reset();
  set_sysctl("tcp_rmem", "4096 16384 16384");  // of the servers' network only
  set_sysctl("tcp_wmem", "4096 16384 16384");
  server_ = {};
  server_ = listener(v4(40001));
  relay_to(v4(40001));
  task_end_ = client(v4(40001));
  server_end_ = accept_from(server_);
  ASSERT_TRUE(task_end_.valid() && server_end_.valid());

  ::shutdown(server_end_.get(), SHUT_WR);
  EXPECT_TRUE(has_ended_there(task_end_));
  const std::string sent = pattern(Pending::capacity + 32 * 1024);  // more than the buffers behind the relay
  ASSERT_TRUE(say(task_end_, sent));
  ::shutdown(task_end_.get(), SHUT_WR);
  const auto end_has_arrived = [&] {
    tcp_info info{};
    socklen_t size = sizeof info;
    (void)::getsockopt(task_end_.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
    constexpr int closed = 7, time_wait = 6;  // our end was acknowledged, and theirs was here before
    return info.tcpi_state == closed || info.tcpi_state == time_wait;
  };
  ASSERT_TRUE(within(patience_ms, end_has_arrived));
  EXPECT_LT(idle_cpu(), nearly_nothing);
  EXPECT_EQ(hear(server_end_, sent.size()), sent);
  EXPECT_TRUE(has_ended_there(server_end_));
}

TEST_F(Relaying, NeverConnectsToItself) {
  // With one port to choose from, a connection to that port on which nobody listens gets it as its own.
  set_sysctl("ip_local_port_range", "40000 40000");
  const SocketAddress address(v4(40000));
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(socket.get(), address.get(), address.size()), 0) << "then this test tests nothing";
  reset_connection(socket);  // and so leaves the port free
  relay_to(v4(40000));
  const UniqueFd here = client(v4(40000));
  ASSERT_TRUE(here.valid());
  (void)say(here, "x");
  EXPECT_TRUE(has_ended_there(here)) << "it hears itself";
}

TEST_F(OnePair, EndEndsIt) {
  EXPECT_FALSE(relay_ends(moment_ms));
  ASSERT_TRUE(send_frame(relay_.control.get(), wire::End{}, 100).ok());
  EXPECT_TRUE(relay_ends(patience_ms));
  EXPECT_TRUE(has_ended_there(task_end_));
}

TEST_F(OnePair, WithoutItsAgentItServesAsLongAsSlurmstepdLives) {
  relay_.control.reset();
  EXPECT_FALSE(relay_ends(moment_ms));
  const UniqueFd here = client(v4(40000)), there = accept_from(server_);
  ASSERT_TRUE(here.valid() && there.valid()) << "new connections too";
  EXPECT_TRUE(say(here, "x"));
  EXPECT_EQ(hear(there, 1), "x");
  EXPECT_LT(idle_cpu(), nearly_nothing);
  stepd_->end();
  EXPECT_TRUE(relay_ends(patience_ms));
}

TEST_F(OnePair, SlurmstepdsEndIsItsOwn) {
  stepd_->end();
  EXPECT_TRUE(relay_ends(patience_ms));
}

TEST_F(OnePair, NonsenseOnTheControlSocketEndsThatConversationOnly) {
  ASSERT_TRUE(send_frame(relay_.control.get(), wire::Finish{}, 100).ok());
  EXPECT_EQ(receive_frame(relay_.control.get(), patience_ms)->size, 0U) << "it still listens there";
  EXPECT_TRUE(say(task_end_, "x"));
  EXPECT_EQ(hear(server_end_, 1), "x");
}

TEST_F(Relaying, ATargetThatIsNotLoopbackIsNotTaken) {
  const auto socket = listen_in_network(network_.get(), v4(40000));
  const TcpEndpoint outside{.family = IpFamily::v4, .address = {10, 0, 0, 1}, .port = 40000};
  ASSERT_TRUE(relay_listener(relay_, socket->get(), open_pidfd(task_->pid()).value().get(), outside).ok());
  EXPECT_EQ(receive_frame(relay_.control.get(), patience_ms)->size, 0U);
}

TEST_F(OnePair, WithItsTaskGoesTheHoldOnTheNetwork) {
  const std::string veth = "ip link add here type veth peer name there netns " + std::to_string(task_->pid());
  ASSERT_EQ(std::system(veth.c_str()), 0);
  ASSERT_NE(::if_nametoindex("here"), 0U);
  network_.reset();
  task_end_.reset();
  server_end_.reset();
  task_->end();
  EXPECT_TRUE(within(patience_ms, [] { return ::if_nametoindex("here") == 0; }))
      << "the namespace and its devices are still there";
}

// More tasks than the relay looks at in one turn, so that it hears of the end of some before it accepts.
TEST_F(Relaying, WhatTasksSaidLastIsCarriedAfterTheirEnd) {
  const UniqueFd server = listener({.family = IpFamily::v4, .address = {}, .port = 40000});
  for (std::uint8_t task = 1; task <= 20; ++task) relay_to(v4(40000, task));
  ASSERT_TRUE(signal_process(relay_.pid, SIGSTOP));
  for (std::uint8_t task = 1; task <= 20; ++task) ASSERT_TRUE(say(client(v4(40000, task)), "abort"));
  task_->end();
  ASSERT_TRUE(signal_process(relay_.pid, SIGCONT));
  for (unsigned i = 0; i < 20; ++i) {
    const UniqueFd there = accept_from(server);
    ASSERT_TRUE(there.valid()) << i;
    EXPECT_EQ(hear(there, 5), "abort");
  }
}

TEST_F(Relaying, MayDoNothingElse) {
  EXPECT_EQ(status_of(relay_.pid, "Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(status_of(relay_.pid, "Gid"), "65534\t65534\t65534\t65534");
  EXPECT_THAT(status_of(relay_.pid, "Groups"), testing::MatchesRegex(" *"));
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    EXPECT_EQ(status_of(relay_.pid, set), "0000000000000000") << set;
  EXPECT_EQ(status_of(relay_.pid, "NoNewPrivs"), "1");
  EXPECT_EQ(status_of(relay_.pid, "Seccomp"), "2") << "no system call filter";
  EXPECT_EQ(read_small_file("/proc/" + std::to_string(relay_.pid) + "/environ").value(), "");
  // Standard streams, control socket, pidfd, two epolls.
  EXPECT_EQ(descriptors(relay_.pid), 7U);
  struct stat owner {};
  ASSERT_EQ(::stat(("/proc/" + std::to_string(relay_.pid) + "/fd").c_str(), &owner), 0);
  EXPECT_EQ(owner.st_uid, 0U) << "dumpable: others of its user could trace it";
}

TEST_F(Relaying, IsNotSparedWhenMemoryRunsOut) {
  const auto set_own_score = [](const char* score) { std::ofstream("/proc/self/oom_score_adj") << score; };
  set_own_score("300");  // -1000 as slurmstepd has it not everybody's root may set
  auto relay = start_relay(open_pidfd(stepd_->pid()).value().get(), agent_file());
  set_own_score("0");
  ASSERT_TRUE(relay.ok()) << relay.error().message();
  EXPECT_EQ(read_small_file("/proc/" + std::to_string(relay->pid) + "/oom_score_adj").value(), "0\n");
  end_relay(std::move(*relay));
}

TEST_F(Relaying, AConfinedAgentCanStartIt) {
  const int stepd = open_pidfd(stepd_->pid()).value().release();
  const pid_t pid = ::fork();
  if (pid == 0) {
    auto status = confine(::fcntl(STDIN_FILENO, F_DUPFD, stepd + 1));  // which closes what is above
    if (!status) std::fprintf(stderr, "%s\n", status.error().message().c_str());
    auto relay = start_relay(stepd, agent_file());
    if (!relay) std::fprintf(stderr, "%s\n", relay.error().message().c_str());
    const bool privileged = relay && status_of(relay->pid, "Uid") != "65534\t65534\t65534\t65534";
    if (relay) end_relay(std::move(*relay));
    ::_exit(status && relay && !privileged ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Relaying, AProgramThatCannotBeStartedIsTheExactError) {
  const auto relay = start_relay(open_pidfd(stepd_->pid()).value().get(), "/nowhere/agent");
  ASSERT_FALSE(relay.ok());
  EXPECT_EQ(relay.error().sys_errno, ENOENT);
  EXPECT_THAT(relay.error().message(), testing::HasSubstr("/nowhere/agent"));
}

TEST_F(Relaying, AProgramThatEndsAtOnceIsAnError) {
  const auto relay = start_relay(open_pidfd(stepd_->pid()).value().get(), "/bin/true");
  ASSERT_FALSE(relay.ok());
  EXPECT_EQ(relay.error().code, Errc::peer_gone);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), 0) << "a child that nobody has waited for";
}

}  // namespace
}  // namespace cib::test
