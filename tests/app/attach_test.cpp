// A container that runs already: what it gets, and that all of it comes back whoever dies when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/attach_container.hpp"
#include "app/check.hpp"
#include "app/leave_container.hpp"
#include "app/leftovers.hpp"
#include "app/reap.hpp"
#include "support/fake_node.hpp"

namespace cib::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr const char* name = "pid-1000";

// On NUMA node 1, in a network of its own.
AttachRequest request(const std::string& option = "verbs") {
  AttachRequest one;
  one.option = option + ",rails=1";
  one.node_name = "n0";
  one.owner = opened_by("boot");
  one.container.process = {"1000", "7"};
  one.container.uid = 1000;
  one.container.mask = CpuSet({0xf0});
  one.container.inside.id = "4711";
  return one;
}

FakeNode node_with_a_container() {
  FakeNode node(1);
  node.site.modes = all_modes();
  node.site.vf.generate_guids = true;
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n0"}, .per_node = 8};
  node.add_vfs(2);
  node.exclusive = true;
  node.agent_alive = false;
  node.keeping_cgroups = {{"/sys/fs/cgroup/docker-1.scope", "17", "231:192"}};
  return node;
}

Result<AttachedContainer> attach(FakeNode& node, const AttachRequest& asked = request()) {
  return attach_container(asked,
                          {.node = node, .tasks = node, .state = node, .stored = node, .kernel = node});
}

std::map<std::string, std::string> variables_of(const AttachedContainer& attached) {
  std::map<std::string, std::string> variables;
  for (const auto& [variable, value] : attached.environment) variables[variable] = value;
  return variables;
}

TEST(Attach, GivesTheContainerThePortThatIsNearestToItsCpus) {
  FakeNode node = node_with_a_container();
  const auto attached = attach(node);
  ASSERT_TRUE(attached.ok()) << attached.error().message();
  EXPECT_EQ(attached->name, name);
  EXPECT_THAT(attached->ports, ElementsAre("mlx5_1:1"));
  EXPECT_THAT(node.task(0).devices, ElementsAre("mlx5_1"));
  EXPECT_TRUE(node.task(0).memlock.has_value());
  EXPECT_TRUE(attached->memlock_raised);
  EXPECT_THAT(variables_of(*attached), Contains(Pair("CONTAINER_IB_PORTS", "mlx5_1:1")));
  EXPECT_THAT(node.network_namespaces, IsEmpty());
}

TEST(Attach, WidensTheDeviceCgroupsOfItsEngineAndDetachNarrowsThem) {
  FakeNode node = node_with_a_container();
  ASSERT_TRUE(attach(node).ok());
  EXPECT_THAT(node.widened_cgroups, ElementsAre("/sys/fs/cgroup/docker-1.scope"));
  ASSERT_THAT(detach(node, node, name)->failed, IsEmpty());
  EXPECT_THAT(node.widened_cgroups, IsEmpty());
}

TEST(Attach, PutsAnInterfaceIntoTheNetworkThatTheContainerHas) {
  for (const std::string mode : {"vf", "ipoib"}) {
    FakeNode node = node_with_a_container();
    node.exclusive = mode == "vf";
    node.netdevs_there = {"lo", "eth0", "ib0"};  // somebody else's
    const auto attached = attach(node, request(mode));
    ASSERT_TRUE(attached.ok()) << attached.error().message();
    EXPECT_THAT(attached->netdevs, ElementsAre("ib1"));
    EXPECT_THAT(attached->addresses, ElementsAre("10.40.0.1/16"));
    EXPECT_THAT(variables_of(*attached), AllOf(Contains(Pair("CONTAINER_IB_NETDEV", "ib1")),
                                               Contains(Pair("CONTAINER_IB_ADDRESS", "10.40.0.1/16"))));
    const auto* pinned = get_if<PinNetns>(node.journals[name][1]);
    ASSERT_NE(pinned, nullptr);
    EXPECT_EQ(*pinned, (PinNetns{"/state/pid-1000/netns-0", "1000", "7"}));
    for (const Record& record : node.journals[name])
      if (const auto* child = get_if<MakeIpoibChild>(record)) {
        EXPECT_EQ(child->among_others, true);
      }
  }
}

TEST(Attach, SeveralInterfacesHaveNamesOfTheirOwn) {
  FakeNode node = node_with_a_container();
  node.netdevs_there = {"lo", "ib1"};
  AttachRequest asked = request("vf");
  asked.option = "vf,rails=2";
  const auto attached = attach(node, asked);
  ASSERT_TRUE(attached.ok()) << attached.error().message();
  EXPECT_THAT(attached->netdevs, ElementsAre("ib0", "ib2"));
}

TEST(Attach, RefusesWhatIsForSteps) {
  for (const std::string key :
       {"batch=yes", "folder=yes", "inject=providers", "report=full", "require=no", "scope=node", "wait=5"}) {
    const auto status = check_attach_option("verbs," + key);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, Errc::bad_request);
    EXPECT_THAT(status.error().message(), HasSubstr(key.substr(0, key.find('=') + 1)));
  }
  EXPECT_FALSE(check_attach_option("none").ok());
  EXPECT_FALSE(check_attach_option("verb").ok());
  EXPECT_TRUE(check_attach_option("verbs,rails=2,hca=mlx5_*").ok());
}

TEST(Attach, TheSitesFileHolds) {
  FakeNode node = node_with_a_container();
  node.site.modes = {Mode::verbs};
  const auto refused = attach(node, request("vf"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::bad_request);
  EXPECT_THAT(node.journals, IsEmpty());
}

TEST(Attach, ANetworkThatMayGetNoInterfaceIsNamedAndAutoDoesWithoutOne) {
  FakeNode node = node_with_a_container();
  node.site.auto_modes = {Mode::vf, Mode::verbs};
  AttachRequest asked = request("vf");
  asked.container.no_network = error(Errc::denied, "it is the node's own");
  const auto refused = attach(node, asked);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("mode vf: it is the node's own"));
  asked.option = "auto";  // and as many rails as there are
  const auto attached = attach(node, asked);
  ASSERT_TRUE(attached.ok()) << attached.error().message();
  EXPECT_EQ(attached->mode, Mode::verbs);
}

TEST(Attach, OnceIsEnough) {
  FakeNode node = node_with_a_container();
  ASSERT_TRUE(attach(node).ok());
  const auto again = attach(node);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Errc::in_use);
  EXPECT_THAT(again.error().message(), HasSubstr("'container-ib detach pid-1000'"));
  EXPECT_THAT(node.task(0).devices, ElementsAre("mlx5_1"));
}

// Which has its devices by the step, in a mount namespace that no journal calls a container.
TEST(Attach, ATaskOfAStepIsRefusedAndTheStepIsNamed) {
  for (const bool journaled : {true, false}) {
    FakeNode node = node_with_a_container();
    node.task(0).devices = {"mlx5_0"};
    if (journaled)
      node.journals["17.0"] = {{1, Mark::done, opened_by("boot")},
                               {2, Mark::done, TaskNoted{0, {{"1000", "7"}, "", ""}}},
                               {3, Mark::done, DevicesMounted{0, "mlx5_0:1"}}};
    const auto refused = attach(node);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::in_use);
    EXPECT_THAT(refused.error().message(),
                HasSubstr(journaled ? "is a task of step 17.0" : "is a task of a step"));
    EXPECT_THAT(node.task(0).devices, ElementsAre("mlx5_0"));
    EXPECT_FALSE(node.journals.contains(name));
  }
}

TEST(Attach, WhatAnotherHasInTheContainerStaysAndIsAdoptedOrIsNotEnough) {
  for (const auto& [theirs, enough] :
       std::map<std::string, bool>{{"mlx5_0:1,mlx5_1:1", true}, {"mlx5_0:1", false}}) {
    FakeNode node = node_with_a_container();
    node.in_container = {{"pid-999", theirs}};
    const auto attached = attach(node);
    EXPECT_EQ(attached.ok(), enough);
    EXPECT_EQ(node.adopted.contains(0), enough);
    if (enough) continue;
    EXPECT_THAT(attached.error().message(),
                AllOf(HasSubstr("attachment pid-999"), HasSubstr("take hca=mlx5_0:1")));
    EXPECT_THAT(node.journals, IsEmpty());
  }
}

TEST(Attach, TheContainersOwnVariablesStayAndWhatIsNoLineIsRefused) {
  FakeNode node = node_with_a_container();
  AttachRequest asked = request();
  asked.container.variables["UCX_NET_DEVICES"] = "mlx5_7:1";
  const auto attached = attach(node, asked);
  ASSERT_TRUE(attached.ok());
  EXPECT_FALSE(variables_of(*attached).contains("UCX_NET_DEVICES"));
  EXPECT_THAT(attached->notes, Contains(HasSubstr("UCX_NET_DEVICES")));

  FakeNode strange = node_with_a_container();
  for (FakeVf& vf : strange.vfs) vf.rdma = "mlx5_9\nLD_PRELOAD=/x";
  const auto refused = attach(strange, request("vf"));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("does not fit a line"));
  EXPECT_THAT(strange.journals, IsEmpty());
}

TEST(Attach, WhatADeadOneLeftIsGivenBackBefore) {
  FakeNode node = node_with_a_container();
  ASSERT_TRUE(attach(node, request("vf")).ok());
  node.journals["pid-999"] = node.journals[name];
  node.journals.erase(name);
  node.task(0).devices.clear();
  // Its process, and with it its number, are another's now.
  std::get<Opened>(node.journals["pid-999"].front().event).stepd = {"999", "1"};
  ASSERT_EQ(node.claimed.size(), 2U);
  const auto attached = attach(node);
  ASSERT_TRUE(attached.ok()) << attached.error().message();
  EXPECT_THAT(node.claimed, IsEmpty());
  EXPECT_THAT(node.journals, ElementsAre(testing::Key(name)));
}

// ---- list, check, reap, detach

TEST(Attached, RunsWhileItsProcessDoesAndNothingKillsThat) {
  FakeNode node = node_with_a_container();
  ASSERT_TRUE(attach(node, request("vf")).ok());
  EXPECT_EQ(state_of(node, "boot", node.steps()->front()), StepState::running);
  EXPECT_THAT(reap(node, node, "")->given_back, IsEmpty());
  EXPECT_THAT(check(node, node, "")->attachments, ElementsAre(name));
  EXPECT_THAT(check(node, node, "")->faults, IsEmpty());
  EXPECT_THAT(*leftovers(node, [&] { return Marked{node.claimed, {}}; }), IsEmpty());
  node.task(0).alive = false;
  EXPECT_EQ(state_of(node, "boot", node.steps()->front()), StepState::orphaned);
  const auto reaped = reap(node, node, "");
  EXPECT_THAT(reaped->given_back, ElementsAre(name));
  EXPECT_THAT(reaped->deaths, IsEmpty()) << "it was whole, and nobody has died too early";
  EXPECT_THAT(node.claimed, IsEmpty());
}

TEST(Attached, OfAnEarlierBootIsForgottenAndNothingIsTouched) {
  FakeNode node = node_with_a_container();
  ASSERT_TRUE(attach(node).ok());
  std::get<Opened>(node.journals[name].front().event).boot = "another boot";
  EXPECT_THAT(reap(node, node, "")->given_back, ElementsAre(name));
  EXPECT_THAT(node.task(0).devices, ElementsAre("mlx5_1")) << "the number is another process' now";
  EXPECT_TRUE(node.task(0).alive);
}

TEST(Attached, CheckSaysHowToEndIt) {
  FakeNode node = node_with_a_container();
  ASSERT_TRUE(attach(node).ok());
  node.task(0).devices.clear();
  EXPECT_THAT(check(node, node, name)->faults,
              ElementsAre(AllOf(HasSubstr("attachment pid-1000: "), HasSubstr("does not see mlx5_1:1"),
                                HasSubstr("'container-ib detach pid-1000'"), Not(HasSubstr("scancel")))));
}

TEST(Attached, DetachGivesEverythingBackAndKeepsNoJournal) {
  for (const std::string mode : {"verbs", "vf"}) {
    FakeNode node = node_with_a_container();
    const auto vfs_before = node.vfs;
    ASSERT_TRUE(attach(node, request(mode)).ok());
    const auto detached = detach(node, node, name);
    ASSERT_TRUE(detached.ok()) << detached.error().message();
    EXPECT_THAT(detached->failed, IsEmpty());
    EXPECT_THAT(node.task(0).devices, IsEmpty());
    EXPECT_TRUE(node.task(0).alive);
    EXPECT_EQ(node.vfs, vfs_before);
    EXPECT_THAT(node.claimed, IsEmpty());
    EXPECT_THAT(node.network_namespaces, IsEmpty());
    EXPECT_THAT(node.journals, IsEmpty());
    EXPECT_EQ(detach(node, node, name).error().code, Errc::not_found);
  }
}

TEST(Attached, DetachOfAStepIsRefusedByName) {
  FakeNode node = node_with_a_container();
  node.journals["17.0"] = {{1, Mark::done, opened_by("boot")}};
  for (const std::string step : {"17.0", "pid-", "pid-x", "pid-17.0", "../pid-17"}) {
    const auto refused = detach(node, node, step);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::bad_request);
    EXPECT_THAT(refused.error().message(), HasSubstr(step));
  }
  EXPECT_THAT(node.journals, SizeIs(1));
}

TEST(Attached, WhatIsBeingAttachedIsNotDetached) {
  FakeNode node = node_with_a_container();
  ASSERT_TRUE(attach(node).ok());
  node.agent_alive = true;  // who holds the journal
  EXPECT_EQ(detach(node, node, name).error().code, Errc::in_use);
  EXPECT_THAT(node.task(0).devices, ElementsAre("mlx5_1"));
}

TEST(Attached, TheDevicesStayForAStepThatIsInTheContainerToo) {
  for (const bool lives : {true, false}) {
    FakeNode node = node_with_a_container();
    ASSERT_TRUE(attach(node).ok());
    node.journals["17.0"] = {{1, Mark::done, opened_by("boot")},
                             {2, Mark::done, DevicesMounted{0, "mlx5_1:1", "4711"}}};
    node.stepd_alive = lives;
    ASSERT_TRUE(detach(node, node, name).ok());
    EXPECT_EQ(node.task(0).devices.contains("mlx5_1"), lives);
  }
}

TEST(Attached, WhatDoesNotComeBackIsNamedAndTriedAgain) {
  FakeNode node = node_with_a_container();
  ASSERT_TRUE(attach(node, request("vf")).ok());
  node.inject(node.changes() + 5, Fault::fails);  // behind note, unmount, cgroup and interface
  const auto detached = detach(node, node, name);
  ASSERT_TRUE(detached.ok());
  EXPECT_THAT(detached->failed, ElementsAre(HasSubstr("injected")));
  EXPECT_THAT(node.journals, SizeIs(1));
  EXPECT_FALSE(node.claimed.empty());
  EXPECT_EQ(state_of(node, "boot", node.steps()->front()), StepState::orphaned) << "half of it is nobody's";
  EXPECT_THAT(detach(node, node, name)->failed, IsEmpty());
  EXPECT_THAT(node.journals, IsEmpty());
  EXPECT_THAT(node.claimed, IsEmpty());
}

// ---- every change of attaching, and of detaching, fails, or who does it dies there

struct Case {
  const char* option;
  bool exclusive;
};
constexpr Case cases[] = {{"verbs", true}, {"vf", true}, {"vf", false}, {"ipoib", false}};

FakeNode node_for(const Case& one) {
  FakeNode node = node_with_a_container();
  node.exclusive = one.exclusive;
  return node;
}

unsigned changes_of_attaching(const Case& one) {
  FakeNode node = node_for(one);
  EXPECT_TRUE(attach(node, request(one.option)).ok());
  return node.changes();
}

void expect_nothing_left(FakeNode& node, const std::vector<FakeVf>& vfs_before, const std::string& where) {
  EXPECT_TRUE(node.task(0).alive) << where;
  EXPECT_THAT(node.task(0).devices, IsEmpty()) << where;
  EXPECT_THAT(node.journals, IsEmpty()) << where;
  EXPECT_THAT(node.network_namespaces, IsEmpty()) << where;
  EXPECT_THAT(node.claimed, IsEmpty()) << where;
  EXPECT_THAT(node.made_links, IsEmpty()) << where;
  EXPECT_THAT(node.widened_cgroups, IsEmpty()) << where;
  EXPECT_EQ(node.vfs, vfs_before) << where;
}

class AttachFaults : public testing::TestWithParam<Fault> {};

// The container lives on; somebody reaps, twice.
TEST_P(AttachFaults, OfAttachingLeaveNothing) {
  for (const Case& one : cases) {
    const unsigned changes = changes_of_attaching(one);
    ASSERT_GT(changes, 6U);
    for (unsigned nth = 1; nth <= changes; ++nth) {
      FakeNode node = node_for(one);
      const auto vfs_before = node.vfs;
      node.inject(nth, GetParam());
      const std::string where = std::string(one.option) + " change " + std::to_string(nth);
      bool whole = false;
      try {
        whole = attach(node, request(one.option)).ok();
        EXPECT_TRUE(whole || !node.task(0).memlock) << where << ": a limit that nobody takes back";
      } catch (const AgentDied&) {
        whole = !node.journals.empty() && is_whole_attachment(node.journals[name]);
      }
      EXPECT_EQ(whole, !node.journals.empty() && is_whole_attachment(node.journals[name])) << where;
      if (whole) {  // a limit that stays, or death after the last record
        EXPECT_THAT(reap(node, node, "")->given_back, IsEmpty()) << where;
        EXPECT_THAT(detach(node, node, name)->failed, IsEmpty()) << where;
      }
      for (int twice = 0; twice < 2; ++twice) {
        EXPECT_THAT(reap(node, node, "")->findings, IsEmpty()) << where;
      }
      expect_nothing_left(node, vfs_before, where);
    }
  }
}

TEST_P(AttachFaults, OfDetachingLeaveNothing) {
  for (const Case& one : cases) {
    const unsigned attaching = changes_of_attaching(one);
    bool reached = true;
    for (unsigned nth = attaching + 1; reached; ++nth) {
      FakeNode node = node_for(one);
      const auto vfs_before = node.vfs;
      ASSERT_TRUE(attach(node, request(one.option)).ok());
      node.inject(nth, GetParam());
      const std::string where = std::string(one.option) + " change " + std::to_string(nth);
      try {
        (void)detach(node, node, name);
      } catch (const AgentDied&) {
      }
      reached = node.changes() >= nth;
      for (int twice = 0; twice < 2; ++twice) {
        EXPECT_THAT(reap(node, node, "")->findings, IsEmpty()) << where;
      }
      if (node.journals.contains(name)) {  // nothing had begun, so it is still attached
        EXPECT_TRUE(is_whole_attachment(node.journals[name])) << where;
        EXPECT_THAT(detach(node, node, name)->failed, IsEmpty()) << where;
      }
      expect_nothing_left(node, vfs_before, where);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, AttachFaults,
                         testing::Values(Fault::fails, Fault::fails_after_effect, Fault::agent_dies_before,
                                         Fault::agent_dies_after),
                         [](const auto& fault) { return std::string(fault_name(fault.param)); });

}  // namespace
}  // namespace cib::test
