// A network device brought into a new network namespace, with its name, tag and address, and up: by the calls
// and the journal that the agent makes for a VF, by the same calls bare, by CNI's host-device and by
// iproute2. One end of a veth pair stands for the VF. They run in turn; the ratios are those of the least
// disturbed runs. Needs root.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "adapters/attach/live_kernel.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/netlink/links.hpp"
#include "adapters/state/state_dir.hpp"
#include "app/step_journal.hpp"
#include "bench/run_program.hpp"

namespace cib {
namespace {

constexpr const char* address = "10.99.0.2/24";
constexpr std::uint32_t address_number = 0x0a630002;

void must(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what);
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message());
}

class Workplace {
 public:
  // Where `ip netns` has its namespaces, which iproute2 needs.
  const std::string netns = "/run/netns/cib-bench";
  const std::string state = "/run/netns/cib-bench-state";
  const std::string cni = "/run/netns/cib-bench-cni";

  Workplace() {
    clean();
    std::filesystem::create_directories("/run/netns");
    must(run_program({CIB_IP, "link", "add", "cib-b0", "type", "veth", "peer", "name", "cib-b1"}) >= 0,
         "make a veth pair");
    index = static_cast<int>(::if_nametoindex("cib-b1"));
    std::ofstream(cni) << R"({"cniVersion": "0.4.0", "name": "b", "type": "host-device", "device": "cib-b1",
      "ipam": {"type": "static", "addresses": [{"address": ")"
                       << address << R"("}]}})";
  }
  ~Workplace() { clean(); }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  int index = 0;  // of the device

 private:
  void clean() const {
    (void)run_program({"/bin/sh", "-c", CIB_IP " link del cib-b0 2> /dev/null"});
    (void)unpin_network_namespace(netns);
    std::error_code ignored;
    std::filesystem::remove_all(state, ignored);
    std::filesystem::remove(cni, ignored);
  }
};

using Clock = std::chrono::steady_clock;

// As StepNetwork::run() has it.
void carry_out(StepJournal& journal, Kernel& kernel, const Action& action) {
  must(journal.write(Mark::intent, action));
  must(kernel.apply(action));
  must(journal.write(Mark::done, action));
}

void by_agent(const Workplace& place) {
  StateDir state(place.state);
  StepJournal journal(state);
  LiveKernel kernel(place.state);
  must(journal.open("1.0", {}));
  carry_out(journal, kernel, MakeNetns{place.netns});
  {  // vf_link, which would look for the device by its PCI function
    must(journal.write(Mark::intent, MoveVfLink{}));
    const auto netns = open_pinned_network_namespace(place.netns);
    auto links = Links::open();
    must(netns && links, "links");
    must(links->change(place.index, {.name = "ib0", .alias = "bench", .network_namespace = netns->get()},
                       "move"));
    must(journal.write(Mark::done, MoveVfLink{}));
  }
  carry_out(journal, kernel, RaiseLink{place.netns, "ib0", std::nullopt, address});
  journal.close();
}

using Netlink = std::unique_ptr<nl_sock, void (*)(nl_sock*)>;

Netlink open_netlink() {
  Netlink socket(::nl_socket_alloc(), ::nl_socket_free);
  must(socket && ::nl_connect(socket.get(), NETLINK_ROUTE) >= 0, "netlink");
  return socket;
}

template <class Header>
nl_msg* message(int type, int flags, Header header) {
  nl_msg* made = ::nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
  must(made != nullptr && ::nlmsg_append(made, &header, sizeof header, NLMSG_ALIGNTO) == 0, "message");
  return made;
}

ifinfomsg link_header(int index, unsigned flags = 0) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = header.ifi_change = flags;
  return header;
}

void raise_lo() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq lo{.ifr_ifrn = {.ifrn_name = "lo"}, .ifr_ifru = {}};
  lo.ifr_flags = IFF_UP;
  must(::ioctl(socket.get(), SIOCSIFFLAGS, &lo) == 0, "lo");
}

void by_bare_calls(const Workplace& place) {
  const UniqueFd home(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  const Netlink outside = open_netlink();
  must(::unshare(CLONE_NEWNET) == 0, "unshare");
  const UniqueFd netns(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  must(UniqueFd(::open(place.netns.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)).get() >= 0,
       "file");
  must(::mount("/proc/self/ns/net", place.netns.c_str(), nullptr, MS_BIND, nullptr) == 0, "bind");
  raise_lo();
  const Netlink inside = open_netlink();

  nl_msg* move = message(RTM_NEWLINK, 0, link_header(place.index));
  ::nla_put_u32(move, IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns.get()));
  ::nla_put_string(move, IFLA_IFNAME, "ib0");
  ::nla_put_string(move, IFLA_IFALIAS, "bench");
  must(::nl_send_sync(outside.get(), move) >= 0, "move");

  const int index = static_cast<int>(::if_nametoindex("ib0"));
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = 24;
  header.ifa_index = static_cast<unsigned>(index);
  nl_msg* give = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, header);
  ::nla_put_u32(give, IFA_LOCAL, htonl(address_number));
  must(::nl_send_sync(inside.get(), give) >= 0, "address");
  must(::nl_send_sync(inside.get(), message(RTM_NEWLINK, 0, link_header(index, IFF_UP))) >= 0, "up");
  must(::setns(home.get(), CLONE_NEWNET) == 0, "go back");
}

void by_iproute2(const Workplace&) {
  must(run_program({"/bin/sh", "-ec",
                    "ip netns add cib-bench; ip link set cib-b1 netns cib-bench name ib0; ip -n cib-bench "
                    "link set lo up; "
                    "ip -n cib-bench addr add 10.99.0.2/24 dev ib0; ip -n cib-bench link set ib0 up"}) >= 0,
       "iproute2");
}

// It wants the namespace to be there, and that is part of what an attach takes.
void by_cni(const Workplace& place) {
  const auto netns = make_network_namespace();
  must(bool(netns), "namespace");
  must(pin_network_namespace(*netns, place.netns));
  must(run_program({CIB_CNI_HOST_DEVICE}, place.cni.c_str(),
                   {"CNI_COMMAND=ADD", "CNI_CONTAINERID=b", "CNI_NETNS=" + place.netns, "CNI_IFNAME=ib0",
                    "CNI_PATH=" + std::filesystem::path(CIB_CNI_HOST_DEVICE).parent_path().string()}) >= 0,
       "host-device");
}

// On nodes /run is a tmpfs, and its mounts need not be the machine's.
void make_run_of_our_own() {
  must(::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", "/run", "tmpfs", 0, "mode=755") == 0,
       "a mount namespace: needs root");
}

void attach(benchmark::State& state) {
  struct Way {
    const char* name;
    void (*run)(const Workplace&);
    double least = 1e9;
  };
  std::array ways = {Way{"agent", by_agent}, Way{"bare", by_bare_calls}, Way{"iproute2", by_iproute2},
                     Way{"host_device", by_cni}};
  try {
    make_run_of_our_own();
    for (auto _ : state) {
      for (Way& way : ways) {
        const Workplace place;
        const auto begin = Clock::now();
        way.run(place);
        way.least = std::min(way.least, std::chrono::duration<double>(Clock::now() - begin).count());
      }
      state.SetIterationTime(ways[0].least);
    }
  } catch (const std::exception& reason) {
    return state.SkipWithError(reason.what());
  }
  for (const Way& way : ways) state.counters[std::string(way.name) + "_ms"] = 1e3 * way.least;
  for (std::size_t i = 1; i < ways.size(); ++i)
    state.counters[std::string("agent/") + ways[i].name] = ways[0].least / ways[i].least;
}
BENCHMARK(attach)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(20);

}  // namespace
}  // namespace cib
