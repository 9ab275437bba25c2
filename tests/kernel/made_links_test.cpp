// macvlan and VXLAN on this kernel, with a veth for the network between two nodes: that frames go where they
// shall, and that what was made goes, whatever was left of it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "adapters/attach/macvlan_actions.hpp"
#include "adapters/attach/network_actions.hpp"
#include "adapters/attach/vxlan_actions.hpp"
#include "adapters/linux/network_namespace.hpp"
#include "adapters/netlink/links.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

using testing::HasSubstr;

class MadeLinks : public Scratch {
 protected:
  void SetUp() override {
    Scratch::SetUp();
    if (IsSkipped()) return;
    for (UniqueFd* node : {&node_a_, &node_b_}) {
      auto made = make_network_namespace();
      ASSERT_TRUE(made.ok()) << made.error().message();
      *node = std::move(*made);
    }
    run_in(node_a_,
           "ip link add net0 type veth peer name other && ip addr add 10.20.0.1/16 dev net0 && "
           "ip link set net0 up");
    const auto visit = NetworkVisit::to(node_a_.get());
    auto links = Links::open();
    const auto other = links->named("other");
    ASSERT_TRUE(
        links->change(other->index, {.name = "net0", .network_namespace = node_b_.get()}, "move").ok());
    run_in(node_b_, "ip addr add 10.20.0.2/16 dev net0 && ip link set net0 up");
  }

  // In the namespace, as somebody who has ip(8) there would.
  static void run_in(const UniqueFd& ns, const std::string& command) {
    const auto visit = NetworkVisit::to(ns.get());
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  template <class Act>
  static Status on(const UniqueFd& node, Act act) {
    const auto visit = NetworkVisit::to(node.get());
    return act();
  }
  static std::vector<std::string> kinds(const UniqueFd& ns) {
    const auto visit = NetworkVisit::to(ns.get());
    auto links = Links::open();
    const auto all = links->list();
    std::vector<std::string> kinds;
    for (const Link& link : *all) kinds.push_back(link.kind);
    return kinds;
  }
  std::string file(const std::string& name) const { return folder_ + '/' + name; }

  void make_namespace(const UniqueFd& node, const std::string& name) const {
    ASSERT_TRUE(on(node, [&] { return apply(MakeNetns{file(name)}); }).ok());
  }
  void expect_fine(const Status& status) const { EXPECT_TRUE(status.ok()) << status.error().message(); }

  MakeMacvlan macvlan_on(const std::string& parent, const std::string& task) const {
    return {.parent = parent,
            .netns = file(task),
            .name = "eth0",
            .temporary = "cib0123456789" + task.substr(task.size() - 2),
            .owner = "container-ib:17.0@2:" + task + ":eth0"};
  }
  MakeVxlan vxlan(unsigned vni, const std::string& local, const std::string& peers,
                  const std::string& netns) const {
    return {.vni = vni,
            .local = local,
            .peers = peers,
            .netns = file(netns),
            .name = "vxlan0",
            .temporary = "cibvvvvvvvvvvvv",
            .owner = "container-ib:17.0@2:" + netns + ":vxlan0"};
  }

  // Whether a datagram from `from` to that address gets to who listens in `to`.
  bool reaches(const std::string& from, const std::string& to, const std::string& address) const {
    const auto open = [&](const std::string& netns) {
      const auto visit = NetworkVisit::to_pinned(file(netns));
      return UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    };
    const UniqueFd sender = open(from), listener = open(to);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(9);
    if (::inet_pton(AF_INET, address.c_str(), &there.sin_addr) != 1) return false;
    sockaddr_in any = there;
    any.sin_addr.s_addr = INADDR_ANY;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    (void)::sendto(sender.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&there), sizeof there);
    pollfd poll{.fd = listener.get(), .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, 500) == 1;
  }

  // A task of an overlay on that node, with the address.
  void join_overlay(const UniqueFd& node, const MakeVxlan& overlay, const std::string& task,
                    const std::string& address) {
    make_namespace(node, task);
    MakeMacvlan macvlan = macvlan_on("vxlan0", task);
    macvlan.parent_netns = overlay.netns;
    expect_fine(on(node, [&] { return apply(macvlan); }));
    expect_fine(apply(RaiseLink{file(task), "eth0", {}, address}));
  }
  void start_overlay(const UniqueFd& node, const MakeVxlan& overlay) {
    make_namespace(node, overlay.netns.substr(overlay.netns.rfind('/') + 1));
    expect_fine(on(node, [&] { return apply(overlay); }));
    expect_fine(apply(RaiseLink{overlay.netns, "vxlan0", {}, {}}));
  }

  // Whether a task of the one, on node a, reaches one of the other, on node b.
  bool meet(const MakeVxlan& here, const MakeVxlan& there) {
    start_overlay(node_a_, here);
    join_overlay(node_a_, here, "task-a0", "10.40.0.1/16");
    start_overlay(node_b_, there);
    join_overlay(node_b_, there, "task-b0", "10.40.0.3/16");
    return reaches("task-a0", "task-b0", "10.40.0.3");
  }

  void TearDown() override {
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      (void)unpin_network_namespace(entry.path());
    Scratch::TearDown();
  }

  UniqueFd node_a_, node_b_;
};

TEST_F(MadeLinks, TasksOfTwoNodesReachEachOtherByMacvlanOnTheirPortsInterfaces) {
  make_namespace(node_a_, "task-a0");
  make_namespace(node_a_, "task-a1");
  make_namespace(node_b_, "task-b0");
  for (const auto& [node, task, address] :
       {std::tuple(&node_a_, "task-a0", "10.40.0.1/16"), std::tuple(&node_a_, "task-a1", "10.40.0.2/16"),
        std::tuple(&node_b_, "task-b0", "10.40.0.3/16")}) {
    expect_fine(on(*node, [&] { return apply(macvlan_on("net0", task)); }));
    expect_fine(apply(RaiseLink{file(task), "eth0", {}, address}));
    expect_fine(on(*node, [&] { return verify(macvlan_on("net0", task)); }));
  }
  EXPECT_TRUE(reaches("task-a0", "task-b0", "10.40.0.3"));
  EXPECT_TRUE(reaches("task-a0", "task-a1", "10.40.0.2")) << "bridge mode";
  for (int twice = 0; twice < 2; ++twice)
    expect_fine(on(node_a_, [&] { return undo(macvlan_on("net0", "task-a0")); }));
  EXPECT_FALSE(on(node_a_, [&] { return verify(macvlan_on("net0", "task-a0")); }).ok());
}

TEST_F(MadeLinks, PrivateSiblingsDoNotReachEachOther) {
  for (const auto& [task, address] : {std::pair("task-a0", "10.40.0.1/16"), {"task-a1", "10.40.0.2/16"}}) {
    make_namespace(node_a_, task);
    MakeMacvlan plan = macvlan_on("net0", task);
    plan.isolated = true;
    expect_fine(on(node_a_, [&] { return apply(plan); }));
    expect_fine(apply(RaiseLink{file(task), "eth0", {}, address}));
  }
  EXPECT_FALSE(reaches("task-a0", "task-a1", "10.40.0.2"));
}

TEST_F(MadeLinks, MacvlanOnWhatIsNoEthernetIsRefusedWithTheReason) {
  make_namespace(node_a_, "task-a0");
  const auto status = on(node_a_, [&] { return apply(macvlan_on("lo", "task-a0")); });
  EXPECT_EQ(status.error().code, Errc::unsupported);
  EXPECT_THAT(status.error().message(), HasSubstr("lo is not of Ethernet"));
}

TEST_F(MadeLinks, OneThatNeverGotToItsNamespaceIsFoundOnTheNode) {
  make_namespace(node_a_, "task-a0");
  const MakeMacvlan plan = macvlan_on("net0", "task-a0");
  run_in(node_a_, "ip link add link net0 name " + plan.temporary + " type macvlan");
  expect_fine(on(node_a_, [&] { return undo(plan); }));
  EXPECT_THAT(kinds(node_a_), testing::Not(testing::Contains("macvlan")));
}

TEST_F(MadeLinks, InAContainersOwnNetworkOnlyWhatHasTheTagGoes) {
  make_namespace(node_a_, "task-a0");
  MakeMacvlan plan = macvlan_on("net0", "task-a0");
  plan.among_others = true;
  expect_fine(on(node_a_, [&] { return apply(plan); }));
  const auto container = open_pinned_network_namespace(file("task-a0"));
  run_in(*container, "ip link add link eth0 name its type macvlan && ip link set eth0 name renamed");
  EXPECT_THAT(on(node_a_, [&] { return verify(plan); }).error().message(), HasSubstr("is called renamed"));
  expect_fine(on(node_a_, [&] { return undo(plan); }));
  EXPECT_THAT(kinds(*container), testing::Contains("macvlan")) << "the container's own";
}

TEST_F(MadeLinks, TasksOfAnOverlayReachEachOtherOverTheNodesNetwork) {
  const auto here = vxlan(0x1100, "10.20.0.1", "10.20.0.2", "netns-overlay-a");
  const auto there = vxlan(0x1100, "10.20.0.2", "10.20.0.1", "netns-overlay-b");
  start_overlay(node_a_, here);
  start_overlay(node_b_, there);
  join_overlay(node_a_, here, "task-a0", "10.40.0.1/16");
  join_overlay(node_a_, here, "task-a1", "10.40.0.2/16");
  join_overlay(node_b_, there, "task-b0", "10.40.0.3/16");
  EXPECT_TRUE(reaches("task-a0", "task-b0", "10.40.0.3"));
  EXPECT_TRUE(reaches("task-b0", "task-a1", "10.40.0.2"));
  EXPECT_TRUE(reaches("task-a0", "task-a1", "10.40.0.2"));
  expect_fine(on(node_a_, [&] { return verify(here); }));
  {
    const auto visit = NetworkVisit::to_pinned(file("task-a0"));
    EXPECT_EQ(Links::open()->named("eth0")->mtu, 1450U) << "50 bytes less than what it runs over";
  }
  run_in(node_a_, "ip link set net0 down");
  EXPECT_THAT(on(node_a_, [&] { return verify(here); }).error().message(), HasSubstr("net0"));
  for (int twice = 0; twice < 2; ++twice) expect_fine(on(node_a_, [&] { return undo(here); }));
}

TEST_F(MadeLinks, AnOverlayOfAnotherIdentifierIsNotReached) {
  EXPECT_FALSE(meet(vxlan(0x1100, "10.20.0.1", "10.20.0.2", "netns-overlay-a"),
                    vxlan(0x1200, "10.20.0.2", "10.20.0.1", "netns-overlay-b")));
}

TEST_F(MadeLinks, AnOverlaySendsToItsPeersAlone) {
  EXPECT_FALSE(meet(vxlan(0x1100, "10.20.0.1", "", "netns-overlay-a"),
                    vxlan(0x1100, "10.20.0.2", "", "netns-overlay-b")));
}

TEST_F(MadeLinks, TwoOverlaysOfOneIdentifierAreTheKernelsRefusal) {
  const auto one = vxlan(0x1100, "10.20.0.1", "", "netns-overlay-a");
  start_overlay(node_a_, one);
  make_namespace(node_a_, "netns-overlay-b");
  const auto two = vxlan(0x1100, "10.20.0.1", "", "netns-overlay-b");
  EXPECT_THAT(on(node_a_, [&] { return apply(two); }).error().message(), HasSubstr("create VXLAN interface"));
}

TEST_F(MadeLinks, AnOverlayWithoutItsAddressIsRefusedByName) {
  make_namespace(node_a_, "netns-overlay-a");
  const auto plan = vxlan(1, "10.20.0.7", "", "netns-overlay-a");
  EXPECT_THAT(on(node_a_, [&] { return apply(plan); }).error().message(),
              HasSubstr("no interface of the node has the address 10.20.0.7"));
}

}  // namespace
}  // namespace cib::test
