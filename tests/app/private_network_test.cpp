// Modes with a network of the tasks' own, on the node in memory: who gets which interface, and that all of it
// comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/step_fixture.hpp"

namespace cib::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

struct PrivateNetwork : testing::Test {
  PrivateNetwork() {
    node.site.modes = all_modes();
    node.site.vf.generate_guids = true;
    node.add_vfs(2);
    node.exclusive = true;
    vfs_before = node.vfs;
  }
  void start(const std::string& option) {
    node.exclusive = option.starts_with("vf") || option.starts_with("auto");
    step.emplace(facts(option), node, node, node, node);
    fork_tasks(*step);
  }
  void end() {
    for (unsigned id = 0; id < four_tasks; ++id) step->task_died(id);
    (void)step->finish();
  }
  void expect_as_before() {
    EXPECT_EQ(node.vfs, vfs_before);
    EXPECT_THAT(node.network_namespaces, IsEmpty());
    EXPECT_THAT(node.claimed, IsEmpty());
    EXPECT_THAT(node.made_links, IsEmpty());
    EXPECT_THAT(node.relayed, IsEmpty());
    EXPECT_THAT(node.journals, IsEmpty());
  }
  // What the step's journal has of that kind, in its order.
  template <class Kind>
  std::vector<Kind> made() const {
    std::vector<Kind> actions;
    for (const auto& [name, records] : node.journals)
      for (const Record& record : records)
        if (record.mark == Mark::intent)
          if (const auto* action = std::get_if<Action>(&record.event))
            if (const auto* one = std::get_if<Kind>(action)) actions.push_back(*one);
    return actions;
  }
  FakeNode node{four_tasks};
  std::optional<Step> step;
  std::vector<FakeVf> vfs_before;
};

TEST_F(PrivateNetwork, EachTaskHasAVfOfTheNearestPfInANetworkOfItsOwn) {
  start("vf");
  std::set<NetnsFile> networks;
  for (unsigned id = 0; id < four_tasks; ++id) networks.insert(node.task(id).netns);
  EXPECT_THAT(networks, SizeIs(4)) << "before the tasks are themselves";
  release_tasks(*step);
  std::set<std::string> devices;
  for (unsigned id = 0; id < four_tasks; ++id) {
    ASSERT_EQ(node.task(id).answer, "granted");
    ASSERT_THAT(node.task(id).devices, SizeIs(1));
    const std::string device = *node.task(id).devices.begin();
    const auto vf =
        std::find_if(node.vfs.begin(), node.vfs.end(), [&](const FakeVf& v) { return v.rdma == device; });
    ASSERT_NE(vf, node.vfs.end());
    EXPECT_EQ(vf->identity.physfn.bus, id < 2 ? 0x20 : 0x21) << "the PF of its NUMA node";
    EXPECT_EQ(vf->rdma_in, node.task(id).netns);
    EXPECT_EQ(vf->netdev_in, node.task(id).netns);
    EXPECT_NE(vf->settings.port_guid, 0U);
    EXPECT_EQ(node.task(id).environment["UCX_NET_DEVICES"], device + ":1");
    EXPECT_EQ(node.task(id).environment["NCCL_IB_HCA"], "=" + device + ":1") << "it sees no other";
    EXPECT_EQ(node.task(id).environment["CONTAINER_IB_NETDEV"], "ib0");
    EXPECT_EQ(node.task(id).environment["CONTAINER_IB_MODE"], "vf");
    devices.insert(device);
  }
  EXPECT_THAT(devices, SizeIs(4));
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, TheTasksOfANodeMayShareOne) {
  start("vf,scope=node");
  release_tasks(*step);
  for (unsigned id = 0; id < four_tasks; ++id) {
    EXPECT_EQ(node.task(id).answer, "granted");
    EXPECT_EQ(node.task(id).netns, node.task(0).netns);
    EXPECT_THAT(node.task(id).devices, SizeIs(2)) << "a VF of each PF that a task uses";
    EXPECT_EQ(node.task(id).environment["CONTAINER_IB_NETDEV"], id < 2 ? "ib0" : "ib1");
  }
  EXPECT_THAT(node.claimed, SizeIs(2));
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, ATaskGoesToAFartherPfWhenTheNearOneHasNoVfLeft) {
  node.claimed[node.vfs[0].identity.pci.text()] = "another step";
  start("vf");
  release_tasks(*step);
  EXPECT_EQ(
      *node.task(0).answer,
      "refused: n0: 4 tasks need a VF each, and 3 are free (mlx5_0:1: 1; mlx5_1:1: 2); wait=SECONDS waits "
      "for those that other steps have");
  EXPECT_THAT(node.claimed, SizeIs(1)) << "the other step's";
  end();
  node.claimed.clear();
  expect_as_before();
}

TEST_F(PrivateNetwork, AnHcaThatIsOutOfTheQuestionHasNoFreeVfs) {
  node.node.ports[0].state = PortState::down;
  start("vf");
  release_tasks(*step);
  EXPECT_THAT(*node.task(0).answer, AllOf(HasSubstr("4 tasks need a VF each, and 2 are free (mlx5_0:1: "),
                                          HasSubstr("; mlx5_1:1: 2)")));
}

TEST_F(PrivateNetwork, AVfWithoutGuidsIsNotFreeWhereTheSiteMakesNone) {
  node.site.vf.generate_guids = false;
  node.vfs[0].settings.node_guid = 0x100;
  node.vfs[0].settings.port_guid = 0x101;
  node.vfs[1].settings.node_guid = 0x102;  // and no port's
  start("vf");
  release_tasks(*step);
  EXPECT_EQ(
      *node.task(0).answer,
      "refused: n0: 4 tasks need a VF each, and 1 is free (mlx5_0:1: 1; mlx5_1:1: no free VF); the node has "
      "not enough even when no other step uses any");
}

TEST_F(PrivateNetwork, AVfThatHasGuidsKeepsThem) {
  for (FakeVf& vf : node.vfs) vf.settings.node_guid = vf.settings.port_guid = 0x100 + vf.identity.index;
  start("vf");
  release_tasks(*step);
  ASSERT_EQ(node.task(0).answer, "granted");
  for (const FakeVf& vf : node.vfs) EXPECT_EQ(vf.settings.port_guid, 0x100 + vf.identity.index);
}

// The kernel takes VLAN and QoS in one message, and both rates in another.
TEST_F(PrivateNetwork, WhatIsSetTogetherIsRememberedTogether) {
  const auto remembered = [&](const VfSettings& by_the_site) {
    const SiteConfig site = node.site;
    node = FakeNode(four_tasks);
    node.site = site;
    node.site.vf.settings = by_the_site;
    node.add_vfs(2);
    for (FakeVf& vf : node.vfs) {
      vf.settings.vlan = 7;
      vf.settings.qos = 1;
      vf.settings.min_tx_mbps = 5;
      vf.settings.max_tx_mbps = 6;
      vf.settings.trust = true;
    }
    node.be_ethernet();
    start("vf,roce=only");
    release_tasks(*step);
    VfSettings old;
    for (const Record& record : node.journals["17.0"])
      if (const auto* set = get_if<SetVf>(record)) old = set->old;
    old.node_guid = old.port_guid = {};
    return old;
  };
  VfSettings vlan, rates;
  vlan.vlan = 7;
  vlan.qos = 1;
  rates.min_tx_mbps = 5;
  rates.max_tx_mbps = 6;
  VfSettings given;
  given.vlan = 100;
  EXPECT_EQ(remembered(given), vlan);
  given = {};
  given.qos = 3;
  EXPECT_EQ(remembered(given), vlan);
  given = {};
  given.min_tx_mbps = 10;
  EXPECT_EQ(remembered(given), rates);
  given = {};
  given.max_tx_mbps = 1000;
  EXPECT_EQ(remembered(given), rates);
  EXPECT_EQ(remembered({}), VfSettings{});
}

TEST_F(PrivateNetwork, SettingsOfEthernetAreForVfsOfEthernetAlone) {
  node.site.vf.settings.vlan = 100;
  node.site.vf.settings.link_state = VfLinkState::up;
  start("vf");
  release_tasks(*step);
  const auto on_infiniband = made<SetVf>();
  ASSERT_THAT(on_infiniband, SizeIs(4));
  EXPECT_FALSE(on_infiniband[0].settings.vlan);
  EXPECT_EQ(on_infiniband[0].settings.link_state, VfLinkState::up);
  const SiteConfig site = node.site;
  node = FakeNode(four_tasks);
  node.site = site;
  node.add_vfs(2);
  node.be_ethernet();
  start("vf,roce=only");
  release_tasks(*step);
  EXPECT_EQ(made<SetVf>().at(0).settings.vlan, 100U);
  EXPECT_FALSE(made<SetVf>().at(0).settings.node_guid) << "follows from the MAC";
}

TEST_F(PrivateNetwork, AnEthernetVfStaysWhereItsRdmaDeviceGoesFrom) {
  node.be_ethernet();
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n0"}, .per_node = 8};
  vfs_before = node.vfs;
  start("vf,roce=only");
  release_tasks(*step);
  ASSERT_EQ(node.task(0).answer, "granted");
  EXPECT_FALSE(made<MoveVfLink>().at(0).remade);
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_NETDEV"], "eth0");
  EXPECT_EQ(node.task(0).environment["UCX_IB_GID_INDEX"], "4") << "of the VF's own table";
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, WaitsForAVfThatAnotherStepHas) {
  const std::string taken = node.vfs[0].identity.pci.text();
  node.claimed[taken] = "another step";
  start("vf,wait=60");
  release_tasks(*step);
  EXPECT_TRUE(step->waits_for_vfs());
  EXPECT_FALSE(node.task(0).answer);
  step->try_again();
  EXPECT_TRUE(step->waits_for_vfs());
  node.claimed.erase(taken);
  step->try_again();
  EXPECT_FALSE(step->waits_for_vfs());
  EXPECT_EQ(node.task(0).answer, "granted");
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, WaitsForNothingButAVf) {
  node.carrier = false;
  start("ipoib,wait=60");
  release_tasks(*step);
  EXPECT_FALSE(step->waits_for_vfs());
  EXPECT_THAT(*node.task(0).answer, StartsWith("refused: "));
}

TEST_F(PrivateNetwork, WaitingWritesAndClaimsNothing) {
  const std::string taken = node.vfs[0].identity.pci.text();
  node.claimed[taken] = "another step";
  start("vf,wait=60");
  release_tasks(*step);
  const auto written = node.journals["17.0"].size();
  for (int again = 0; again < 5; ++again) {
    step->try_again();
    ASSERT_TRUE(step->waits_for_vfs());
  }
  EXPECT_EQ(node.journals["17.0"].size(), written);
  EXPECT_THAT(node.claimed, SizeIs(1)) << "the other step's";
}

TEST_F(PrivateNetwork, RailsCountAndWhatTheNodeNeverHasIsNotWaitedFor) {
  start("vf,rails=2,wait=60");
  release_tasks(*step);
  EXPECT_FALSE(step->waits_for_vfs());
  EXPECT_EQ(
      *node.task(0).answer,
      "refused: n0: 4 tasks need 2 VFs each, and 4 are free (mlx5_0:1: 2; mlx5_1:1: 2); the node has not "
      "enough even when no other step uses any");
  EXPECT_THAT(node.claimed, IsEmpty());
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, RailsThatOtherStepsHaveAreWaitedFor) {
  const std::string taken = node.vfs[2].identity.pci.text();
  for (const std::size_t vf : {2U, 3U}) node.claimed[node.vfs[vf].identity.pci.text()] = "another step";
  auto f = facts("vf,rails=2,wait=60");
  f.local_tasks = 1;
  Step one(f, node, node, node, node);
  one.prepare();
  run_only_task(one);
  EXPECT_TRUE(one.waits_for_vfs()) << "a task asked for two, and mlx5_1 has none that is free";
  node.claimed.erase(taken);
  one.try_again();
  EXPECT_EQ(node.task(0).answer, "granted");
  EXPECT_THAT(node.task(0).devices, SizeIs(2));
}

TEST_F(PrivateNetwork, WhoNamesNoNumberOfRailsHasOneWhereThereAreNotMore) {
  for (const std::size_t vf : {2U, 3U}) node.claimed[node.vfs[vf].identity.pci.text()] = "another step";
  auto f = facts("vf");
  f.local_tasks = 1;
  Step one(f, node, node, node, node);
  one.prepare();
  run_only_task(one);
  EXPECT_EQ(node.task(0).answer, "granted");
  EXPECT_THAT(node.task(0).devices, SizeIs(1));
}

TEST_F(PrivateNetwork, APortThatIsDownIsNotWaitedFor) {
  for (Port& port : node.node.ports) port.state = PortState::down;
  for (const char* option : {"vf,wait=60", "verbs,wait=60"}) {
    FakeNode down(four_tasks);
    down.site = node.site;
    down.node = node.node;
    down.vfs = node.vfs;
    down.exclusive = true;
    Step none(facts(option), down, down, down, down);
    fork_tasks(none);
    release_tasks(none);
    EXPECT_FALSE(none.waits_for_vfs());
    EXPECT_THAT(
        *down.task(0).answer,
        AllOf(StartsWith("refused: n0: no InfiniBand port can be used: mlx5_0:1: state DOWN; mlx5_1:1: "),
              Not(HasSubstr("mlx5_2"))))
        << option;
  }
}

TEST_F(PrivateNetwork, APfThatCannotBeAskedHasNoVfsAndOthersServe) {
  node.unanswering_pfs["mlx5_0"] = "port 1 of 0000:20:00.0 has no IPoIB interface on the node";
  auto f = facts("vf");
  f.local_tasks = 2;
  Step two(f, node, node, node, node);
  two.prepare();
  for (unsigned id = 0; id < 2; ++id) two.task_has_namespace(id);
  for (unsigned id = 0; id < 2; ++id)
    two.task_started(id, {.rank = id, .mask = mask_of(id), .process = {{"1000", ""}}});
  for (unsigned id = 0; id < 2; ++id) two.task_ready(id, {});
  EXPECT_EQ(node.task(0).answer, "granted");
  EXPECT_EQ(node.task(1).answer, "granted");
}

TEST_F(PrivateNetwork, WhyAPfCouldNotBeAskedIsToldWhenThereAreTooFew) {
  node.unanswering_pfs["mlx5_0"] = "port 1 of 0000:20:00.0 has no IPoIB interface on the node";
  start("vf,wait=60");
  release_tasks(*step);
  EXPECT_FALSE(step->waits_for_vfs());
  EXPECT_EQ(
      *node.task(0).answer,
      "refused: n0: 4 tasks need a VF each, and 2 are free (mlx5_0:1: no VF: port 1 of 0000:20:00.0 has no "
      "IPoIB interface on the node; mlx5_1:1: 2); the node has not enough even when no other step uses any");
}

TEST_F(PrivateNetwork, AnHcaThatTheSiteDoesNotAllowIsNotAskedForItsVfs) {
  node.site.nodes = {{.name = {"*"}, .hca = {"mlx5_1"}}};
  node.unanswering_pfs["mlx5_0"] = "asked";
  start("vf");
  release_tasks(*step);
  EXPECT_THAT(*node.task(0).answer, AllOf(HasSubstr("not for MPI at this site"), Not(HasSubstr("asked"))));
}

TEST_F(PrivateNetwork, TheSiteLimitsWhatAStepMayHave) {
  node.site.vf.per_step = 3;
  start("vf,wait=60");
  release_tasks(*step);
  EXPECT_FALSE(step->waits_for_vfs());
  EXPECT_EQ(
      *node.task(0).answer,
      "refused: n0: this step needs 4 VFs here, and the site allows each step 3 on a node (vf.per_step)");
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, AsManyAsAStepMayHaveItGets) {
  node.site.vf.per_step = node.site.vf.per_user = 4;
  start("vf");
  release_tasks(*step);
  EXPECT_EQ(node.task(0).answer, "granted");
}

TEST_F(PrivateNetwork, TheSiteLimitsWhatAUserMayHaveOnANode) {
  node.site.vf.per_user = 4;
  node.claimed["0000:30:00.1"] = claim_owner("16.0", "1", 1000);
  node.claimed["0000:30:00.2"] = claim_owner("15.0", "1", 1001);  // somebody else's
  node.claimed["address-0"] = claim_owner("16.0", "1", 1000) + "#0";
  start("vf,wait=60");
  release_tasks(*step);
  EXPECT_TRUE(step->waits_for_vfs()) << "for the user's own other step";
  step->give_up_waiting();
  EXPECT_EQ(
      *node.task(0).answer,
      "refused: n0: this step needs 4 VFs here, and the site allows each user 4 on a node (vf.per_user), of "
      "which other steps of yours have 1; wait=SECONDS waits for those");
  EXPECT_THAT(node.claimed, SizeIs(3));
}

TEST_F(PrivateNetwork, MoreThanAUserMayEverHaveIsNotWaitedFor) {
  node.site.vf.per_user = 3;
  start("vf,wait=60");
  release_tasks(*step);
  EXPECT_FALSE(step->waits_for_vfs());
  EXPECT_THAT(*node.task(0).answer, HasSubstr("the site allows each user 3 on a node (vf.per_user)"));
}

TEST_F(PrivateNetwork, WaitsForAddressesThatOtherStepsHave) {
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 4};
  node.claimed["address-2"] = "16.0@1:7#2";
  start("ipoib,wait=60");
  release_tasks(*step);
  EXPECT_TRUE(step->waits_for_vfs());
  EXPECT_THAT(node.claimed, SizeIs(1)) << "none of ours before there are enough";
  node.claimed.clear();
  step->try_again();
  EXPECT_EQ(node.task(0).answer, "granted");
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, AddressesThatTheNodeDoesNotHaveAreNotWaitedFor) {
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 3};
  start("ipoib,wait=60");
  release_tasks(*step);
  EXPECT_FALSE(step->waits_for_vfs());
}

TEST_F(PrivateNetwork, WhereTheRdmaSubsystemIsSharedTheReportSaysThatNothingIsIsolated) {
  node.exclusive = false;
  step.emplace(facts("vf,report=summary"), node, node, node, node);
  fork_tasks(*step);
  release_tasks(*step);
  for (unsigned id = 0; id < four_tasks; ++id) step->task_died(id);
  EXPECT_THAT(step->report(), testing::Contains(StartsWith("n0: vf without isolation: ")));
  node.exclusive = true;
  FakeNode other(four_tasks);
  other.site = node.site;
  other.add_vfs(2);
  other.exclusive = true;
  Step isolated(facts("vf,report=summary"), other, other, other, other);
  fork_tasks(isolated);
  release_tasks(isolated);
  for (unsigned id = 0; id < four_tasks; ++id) isolated.task_died(id);
  EXPECT_THAT(isolated.report(), Not(testing::Contains(HasSubstr("isolated"))));
}

TEST_F(PrivateNetwork, TheSiteMayForbidVfsWhereTheyAreNotIsolated) {
  node.site.vf.shared_rdma = false;
  node.exclusive = false;
  step.emplace(facts("vf"), node, node, node, node);
  fork_tasks(*step);
  release_tasks(*step);
  EXPECT_THAT(*node.task(0).answer,
              AllOf(StartsWith("refused: n0: mode vf needs the RDMA subsystem's exclusive mode at this site"),
                    HasSubstr("rdma system set netns exclusive")));
  EXPECT_EQ(node.task(0).netns, "") << "nothing was made";
}

TEST_F(PrivateNetwork, GivesUpWaitingInTheEnd) {
  node.claimed[node.vfs[0].identity.pci.text()] = "another step";
  start("vf,wait=1");
  release_tasks(*step);
  step->give_up_waiting();
  EXPECT_THAT(*node.task(0).answer, StartsWith("refused: "));
}

TEST_F(PrivateNetwork, IpoibGivesAChildOfTheChosenPort) {
  start("ipoib");
  release_tasks(*step);
  for (unsigned id = 0; id < four_tasks; ++id) {
    EXPECT_EQ(node.task(id).answer, "granted");
    EXPECT_THAT(node.task(id).devices, ElementsAre(id < 2 ? "mlx5_0" : "mlx5_1")) << "the HCA's own uverbs";
  }
  EXPECT_THAT(node.made_links, SizeIs(4));
  EXPECT_TRUE(node.made_links.contains("container-ib:17.0@2:1000:netns-3:ib0"))
      << "the tag tells whose it is";
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, IpoibIsRefusedInTheExclusiveMode) {
  node.exclusive = true;
  Step other(facts("ipoib"), node, node, node, node);
  fork_tasks(other);
  release_tasks(other);
  EXPECT_THAT(*node.task(0).answer, HasSubstr("needs the RDMA subsystem's shared mode"));
  EXPECT_EQ(node.task(0).netns, "") << "nothing was made";
}

TEST_F(PrivateNetwork, APkeyThatThePortLacksIsRefusedBeforeAnythingIsMade) {
  node.site.pkeys = {0x8005};
  start("ipoib,pkey=0x8005");
  release_tasks(*step);
  EXPECT_THAT(*node.task(0).answer, HasSubstr("its P_Key table lacks 0x8005"));
  EXPECT_THAT(node.made_links, IsEmpty());
}

TEST_F(PrivateNetwork, NoCarrierIsAnErrorWithTheLikelyReason) {
  node.carrier = false;
  start("ipoib");
  release_tasks(*step);
  EXPECT_THAT(*node.task(0).answer, AllOf(StartsWith("refused: "), HasSubstr("subnet manager")));
  EXPECT_EQ(node.carrier_timeout_ms, static_cast<int>(node.site.carrier_timeout_s) * 1000);
  EXPECT_THAT(node.made_links, IsEmpty());
}

TEST_F(PrivateNetwork, AddressesComeFromTheNodesPartOfThePool) {
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 16};
  start("ipoib");
  release_tasks(*step);
  std::set<std::string> addresses;
  for (unsigned id = 0; id < four_tasks; ++id)
    addresses.insert(node.task(id).environment["CONTAINER_IB_ADDRESS"]);
  EXPECT_THAT(addresses, ElementsAre("10.40.0.1/16", "10.40.0.2/16", "10.40.0.3/16", "10.40.0.4/16"));
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, AnAddressThatAnotherStepHasIsPassedOver) {
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 6};
  node.claimed["address-0"] = "16.0@1#0";
  node.unclaimable["address-2"] = Errc::in_use;  // it was faster
  start("ipoib");
  release_tasks(*step);
  std::vector<std::string> addresses;
  for (unsigned id = 0; id < four_tasks; ++id)
    addresses.push_back(node.task(id).environment["CONTAINER_IB_ADDRESS"]);
  EXPECT_THAT(addresses, ElementsAre("10.40.0.2/16", "10.40.0.4/16", "10.40.0.5/16", "10.40.0.6/16"));
  end();
  EXPECT_THAT(node.claimed, ElementsAre(testing::Pair("address-0", "16.0@1#0"))) << "the other step's";
}

TEST_F(PrivateNetwork, WithoutAnAddressForEachTaskThereIsNoStep) {
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 3};
  start("ipoib");
  release_tasks(*step);
  EXPECT_EQ(
      *node.task(0).answer,
      "refused: n0: 4 interfaces need an address each, and this node has 3; addresses.per_node in the site's "
      "file could be larger");
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, AnAddressThatCannotBeClaimedIsAnError) {
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 16};
  node.unclaimable["address-0"] = Errc::kernel;
  start("ipoib");
  release_tasks(*step);
  EXPECT_EQ(*node.task(0).answer, "refused: attach rank 0: address-0 cannot be claimed");
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, AVfThatAnotherStepWasFasterToClaimIsPassedOver) {
  node.unclaimable[node.vfs[0].identity.pci.text()] = Errc::in_use;
  start("vf,scope=node");
  release_tasks(*step);
  EXPECT_EQ(node.task(0).answer, "granted");
  EXPECT_THAT(node.claimed, testing::Contains(testing::Key(node.vfs[1].identity.pci.text())));
}

TEST_F(PrivateNetwork, AVfThatCannotBeClaimedIsAnError) {
  node.unclaimable[node.vfs[0].identity.pci.text()] = Errc::kernel;
  start("vf,scope=node");
  release_tasks(*step);
  EXPECT_THAT(*node.task(0).answer,
              AllOf(StartsWith("refused: attach rank 0: "), HasSubstr("cannot be claimed")));
}

TEST_F(PrivateNetwork, TasksKnowTheAddressesOfTheStepsNodes) {
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 16};
  start("ipoib,rails=2");
  for (unsigned id = 0; id < four_tasks; ++id) {
    TaskFacts task;
    task.user_variables["SLURM_STEP_NODELIST"] = id == 3 ? "n[0-8]" : "n[0-1]";
    step->task_ready(id, task);
  }
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_PEERS"],
            "n0=10.40.0.1-10.40.0.16,n1=10.40.0.17-10.40.0.32");
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_NETDEV"], "ib0,ib1");
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_ADDRESS"], "10.40.0.1/16,10.40.0.2/16");
  EXPECT_FALSE(node.task(3).environment.contains("CONTAINER_IB_PEERS")) << "n8 has no addresses";
  EXPECT_THAT(node.task(3).lines, IsEmpty()) << "told by the first task";
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, AHostListThatMayHaveBeenCutIsNotUsed) {
  node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-7]"}, .per_node = 16};
  start("ipoib");
  std::string hosts = "n0";
  while (hosts.size() < 1022) hosts += ",n1";
  hosts.resize(1022, ' ');
  for (unsigned id = 0; id < four_tasks; ++id) {
    TaskFacts task;
    task.user_variables["SLURM_STEP_NODELIST"] = hosts;
    step->task_ready(id, task);
  }
  EXPECT_FALSE(node.task(0).environment.contains("CONTAINER_IB_PEERS"));
  EXPECT_THAT(node.task(0).lines, ElementsAre(HasSubstr("no CONTAINER_IB_PEERS: SLURM_STEP_NODELIST")));
  EXPECT_THAT(node.task(1).lines, IsEmpty());
}

TEST_F(PrivateNetwork, PmixIsRelayedOnceForEachNetwork) {
  start("ipoib,scope=node");
  for (unsigned id = 0; id < four_tasks; ++id) {
    TaskFacts task;
    task.pmix_servers = {"slurm.pmix.17.0.0;tcp4://127.0.0.1:34567",
                         "slurm.pmix.17.0.0;tcp4://127.0.0.1:34567"};
    step->task_ready(id, task);
  }
  EXPECT_THAT(node.relayed, SizeIs(1));
  end();
  expect_as_before();
}

TEST_F(PrivateNetwork, WhatDoesNotComeBackIsToldToUserAndAdministrator) {
  start("ipoib");
  release_tasks(*step);
  for (unsigned id = 0; id < four_tasks; ++id) step->task_died(id);
  node.inject(node.changes() + 1, Fault::fails);
  const Step::Ending ending = step->finish();
  EXPECT_THAT(ending.for_administrator,
              ElementsAre(AllOf(StartsWith("n0: step 17.0: could not give back "), HasSubstr("injected"),
                                HasSubstr("'container-ib reap'"))));
  EXPECT_THAT(ending.for_user, testing::Contains(ending.for_administrator.front()));
  EXPECT_THAT(node.journals, SizeIs(1)) << "for the reaper";
}

TEST_F(PrivateNetwork, AutoTakesTheFirstModeThatTheNodeCanDo) {
  node.site.auto_modes = {Mode::ipoib, Mode::vf};
  start("auto");  // on a node in exclusive mode
  release_tasks(*step);
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_MODE"], "vf");
}

TEST_F(PrivateNetwork, MpirunsHelperStaysInTheNodesNetwork) {
  auto f = facts("vf");
  f.local_tasks = 1;
  f.daemon_step = true;
  Step helper(f, node, node, node, node);
  helper.prepare();
  run_only_task(helper);
  EXPECT_EQ(node.task(0).netns, "");
  EXPECT_EQ(node.task(0).answer, "granted");
}

TEST_F(PrivateNetwork, AJobsShellStaysInTheNodesNetwork) {
  auto f = facts("ipoib,batch=yes");
  f.local_tasks = 1;
  f.shell = true;
  node.exclusive = false;
  Step shell(f, node, node, node, node);
  shell.prepare();
  EXPECT_FALSE(shell.needs_relay());
  run_only_task(shell);
  EXPECT_EQ(node.task(0).netns, "");
  EXPECT_EQ(node.task(0).answer, "granted");
}

TEST_F(PrivateNetwork, WhoStaysInTheNodesNetworkGetsNoModeThatTheSiteDoesNotAllow) {
  node.site.modes = node.site.auto_modes = {Mode::vf};
  const auto answer_to = [&](const std::string& option, bool daemon) {
    FakeNode one(1);
    one.site = node.site;
    one.add_vfs(2);
    one.exclusive = true;
    auto f = facts(option);
    f.local_tasks = 1;
    f.daemon_step = daemon;
    f.shell = !daemon;
    Step the_step(f, one, one, one, one);
    the_step.prepare();
    EXPECT_FALSE(the_step.needs_relay());
    run_only_task(the_step);
    EXPECT_THAT(one.task(0).devices, IsEmpty());
    return *one.task(0).answer;
  };
  EXPECT_EQ(
      answer_to("vf", true),
      "refused: n0: mpirun's helper stays in the node's network, so mode vf means verbs for it, which is "
      "not allowed at this site; start the ranks with srun");
  EXPECT_THAT(answer_to("vf,batch=yes", false),
              AllOf(StartsWith("refused: "), HasSubstr("leave out batch=yes")));
  EXPECT_THAT(answer_to("vf,require=no", true), StartsWith("declined: "));
  EXPECT_THAT(answer_to("auto", true), StartsWith("declined: "));
}

TEST_F(PrivateNetwork, AutoGoesOnToAModeThatAShellMayHave) {
  node.site.auto_modes = {Mode::vf, Mode::ipoib, Mode::verbs};
  auto f = facts("auto");
  f.local_tasks = 1;
  f.daemon_step = true;
  Step helper(f, node, node, node, node);
  helper.prepare();
  run_only_task(helper);
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_MODE"], "verbs");
}

TEST_F(PrivateNetwork, OneTaskNeedsOneVf) {
  for (const FakeVf& vf : node.vfs) node.claimed[vf.identity.pci.text()] = "another step";
  auto f = facts("vf");
  f.local_tasks = 1;
  Step one(f, node, node, node, node);
  one.prepare();
  run_only_task(one);
  EXPECT_THAT(*node.task(0).answer, HasSubstr("n0: 1 task needs a VF, and 0 are free ("));
}

TEST_F(PrivateNetwork, ARelayThatDoesNotStartFailsTheStep) {
  step.emplace(facts("vf"), node, node, node, node);
  step->prepare();
  EXPECT_TRUE(step->needs_relay());
  step->relay_started(error(Errc::kernel, "no relay"));
  EXPECT_FALSE(step->needs_relay());
  fork_tasks(*step);
  release_tasks(*step);
  EXPECT_EQ(*node.task(0).answer, "refused: no relay");
}

TEST_F(PrivateNetwork, WhatNoPmixServerWritesIsRefused) {
  start("vf");
  for (unsigned id = 0; id < four_tasks; ++id) {
    TaskFacts task;
    if (id == 2) task.pmix_servers = {"s.1;tcp4://10.0.0.1:80"};
    step->task_ready(id, task);
  }
  EXPECT_EQ(
      *node.task(0).answer,
      "refused: rank 4's PMIx server: address of the PMIx server 's.1;tcp4://10.0.0.1:80': not a loopback "
      "address");
  EXPECT_THAT(node.relayed, IsEmpty());
}

TEST_F(PrivateNetwork, WhatTheVfOfALateTaskCarriedBeforeIsNotTheSteps) {
  node.verbs_of_each_vf = 80'000'000'000;
  start("vf,report=summary");
  for (unsigned id = 0; id < 3; ++id) step->task_ready(id, {});
  step->deadline_passed();
  step->task_ready(3, {});
  ASSERT_EQ(node.task(3).answer, "granted");
  for (unsigned id = 0; id < four_tasks; ++id) step->task_died(id);
  EXPECT_THAT(step->report(), ElementsAre(Not(HasSubstr("native:"))));
  (void)step->finish();
  expect_as_before();
}

TEST_F(PrivateNetwork, WhatTheVfOfALateTaskCarriesIsTheSteps) {
  start("vf,report=summary");
  for (unsigned id = 0; id < 3; ++id) step->task_ready(id, {});
  step->deadline_passed();
  node.verbs_of_each_vf = 1'000'000'000;
  step->task_ready(3, {});
  ASSERT_EQ(node.task(3).answer, "granted");
  const std::string ports = ports_of(node.journals["17.0"]).ports;
  EXPECT_EQ(std::count(ports.begin(), ports.end(), ','), 3) << ports;
  node.verbs_of_each_vf = 3'000'000'000;
  for (unsigned id = 0; id < four_tasks; ++id) step->task_died(id);
  EXPECT_THAT(step->report(), ElementsAre(HasSubstr("native: 11.0 GB by verbs")))
      << "three moved all of it, the fourth what it moved since";
  (void)step->finish();
  expect_as_before();
}

// ---- macvlan
// ----------------------------------------------------------------------------------------------

struct MacvlanNetwork : PrivateNetwork {
  MacvlanNetwork() {
    node.be_ethernet();
    node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n0"}, .per_node = 8};
  }
  std::vector<MakeMacvlan> made() const { return PrivateNetwork::made<MakeMacvlan>(); }
};

TEST_F(MacvlanNetwork, EachTaskHasAnInterfaceOnItsPortsOwnAndTheGidOfItsAddress) {
  start("macvlan");
  release_tasks(*step);
  ASSERT_THAT(made(), SizeIs(4));
  for (unsigned id = 0; id < four_tasks; ++id) {
    ASSERT_EQ(node.task(id).answer, "granted");
    const std::string device = id < 2 ? "mlx5_0" : "mlx5_1";
    EXPECT_EQ(made()[id].parent, "net-" + device);
    EXPECT_EQ(made()[id].netns, node.task(id).netns);
    EXPECT_FALSE(made()[id].isolated);
    auto& environment = node.task(id).environment;
    EXPECT_EQ(environment["CONTAINER_IB_NETDEV"], "eth0");
    EXPECT_EQ(environment["UCX_NET_DEVICES"], device + ":1");
    EXPECT_EQ(environment["UCX_IB_GID_INDEX"], std::to_string(4 + id)) << "and not the node's, which is 3";
    EXPECT_EQ(environment["NCCL_IB_GID_INDEX"], std::to_string(4 + id));
  }
  end();
  expect_as_before();
}

TEST_F(MacvlanNetwork, HasNoVariableWhereTheIndexesOfATasksPortsDiffer) {
  start("macvlan,rails=2");
  release_tasks(*step);
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_NETDEV"], "eth0,eth1");
  EXPECT_FALSE(node.task(0).environment.contains("UCX_IB_GID_INDEX"));
}

TEST_F(MacvlanNetwork, WithoutAGidNoTaskIsAttached) {
  node.makes_gids = false;
  start("macvlan");
  release_tasks(*step);
  EXPECT_THAT(node.task(0).answer.value_or(""), AllOf(StartsWith("refused: n0: "), HasSubstr("no GID of")));
  end();
  expect_as_before();
}

TEST_F(MacvlanNetwork, OnInfinibandIsRefusedWithWhatWorks) {
  node.node = FakeNode::two_numa_nodes();
  start("macvlan");
  release_tasks(*step);
  EXPECT_THAT(node.task(0).answer.value_or(""), AllOf(HasSubstr("needs Ethernet"), HasSubstr("mode ipoib")));
}

TEST_F(MacvlanNetwork, NeedsAddresses) {
  node.site.addresses = {};
  start("macvlan");
  release_tasks(*step);
  EXPECT_THAT(node.task(0).answer.value_or(""), HasSubstr("mode macvlan needs [addresses]"));
}

TEST_F(MacvlanNetwork, BesideInfinibandHasOneInterfaceOnWhatTheSiteNames) {
  node.node = FakeNode::two_numa_nodes();
  node.site.macvlan = {.parent = "eth1", .isolated = true};
  start("macvlan,rails=2");
  release_tasks(*step);
  ASSERT_THAT(made(), SizeIs(4)) << "one for each task, and not one for each port";
  EXPECT_EQ(made()[0].parent, "eth1");
  EXPECT_TRUE(made()[0].isolated);
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_NETDEV"], "eth0");
  EXPECT_EQ(node.task(0).environment["UCX_NET_DEVICES"], "mlx5_0:1,mlx5_1:1");
  EXPECT_FALSE(node.task(0).environment.contains("UCX_IB_GID_INDEX"));
  EXPECT_THAT(node.claimed, testing::Contains(testing::Key("address-3")));
  EXPECT_THAT(node.claimed, Not(testing::Contains(testing::Key("address-4"))));
  end();
  expect_as_before();
}

// ---- overlay
// ----------------------------------------------------------------------------------------------

struct OverlayNetwork : PrivateNetwork {
  OverlayNetwork() {
    node.site.addresses = {.pool = "10.40.0.0/16", .nodes = {"n[0-9]"}, .per_node = 8};
    node.site.overlay = {{.nodes = {"n[0-4]"}, .first = "10.20.0.1/16"},
                         {.nodes = {"n[0-9]"}, .first = "10.21.0.11/16"}};
  }
  void release_with(const std::string& nodes) {
    TaskFacts said;
    said.user_variables["SLURM_STEP_NODELIST"] = nodes;
    for (unsigned id = 0; id < four_tasks; ++id) step->task_ready(id, said);
  }
};

TEST_F(OverlayNetwork, HasOneVxlanOfTheStepToItsOtherNodesAndAnInterfaceOnItForEachTask) {
  start("overlay,rails=2");
  release_with("n[0,2-4]");
  const auto vxlans = made<MakeVxlan>();
  ASSERT_THAT(vxlans, SizeIs(1));
  EXPECT_EQ(vxlans[0].vni, 17U << 8);
  EXPECT_EQ(vxlans[0].local, "10.20.0.1");
  EXPECT_EQ(vxlans[0].peers, "10.20.0.3-10.20.0.5");
  EXPECT_TRUE(node.claimed.contains("vni-4352"));
  const auto interfaces = made<MakeMacvlan>();
  ASSERT_THAT(interfaces, SizeIs(4));
  for (unsigned id = 0; id < four_tasks; ++id) {
    ASSERT_EQ(node.task(id).answer, "granted");
    EXPECT_EQ(interfaces[id].parent_netns, vxlans[0].netns);
    EXPECT_NE(node.task(id).netns, vxlans[0].netns) << "where its administrator's interface is";
    EXPECT_EQ(node.task(id).environment["CONTAINER_IB_NETDEV"], "eth0");
    EXPECT_THAT(node.task(id).devices, SizeIs(2)) << "the HCAs beside it";
  }
  end();
  expect_as_before();
}

TEST_F(OverlayNetwork, TakesTheFirstNetworkThatAllNodesHave) {
  start("overlay");
  release_with("n[0,7]");
  EXPECT_EQ(made<MakeVxlan>().at(0).local, "10.21.0.11");
  EXPECT_EQ(made<MakeVxlan>().at(0).peers, "10.21.0.18");
}

TEST_F(OverlayNetwork, WithoutOneInCommonIsRefused) {
  start("overlay");
  release_with("n[0,10]");
  EXPECT_THAT(node.task(0).answer.value_or(""),
              HasSubstr("no network of [[overlay]] in common (n10 has no address on 10.20.0.0/16, n10 has no "
                        "address on 10.21.0.0/16)"));
  end();
  expect_as_before();
}

TEST_F(OverlayNetwork, OfTheSameIdentifierAsAnotherStepsIsRefused) {
  node.claimed["vni-4352"] = "65553.0@9:1000";
  start("overlay");
  release_with("n[0-1]");
  EXPECT_THAT(node.task(0).answer.value_or(""), HasSubstr("vni-4352"));
}

TEST_F(OverlayNetwork, WhereTheSiteSaysNothingOfTheNodeIsRefused) {
  node.site.overlay = {{.nodes = {"m[0-4]"}, .first = "10.20.0.1/16"}};
  start("overlay");
  release_with("n[0-1]");
  EXPECT_THAT(node.task(0).answer.value_or(""), HasSubstr("names no network that node n0 has"));
}

// ---- device
// ----------------------------------------------------------------------------------------------

struct WholeDevices : PrivateNetwork {
  WholeDevices() {
    node.vfs.clear();
    node.add_devices();
    vfs_before = node.vfs;
  }
  static constexpr unsigned two_tasks = 2;  // one a NUMA node
  void start(const std::string& option) {
    node.exclusive = true;
    StepFacts known = facts(option);
    known.local_tasks = two_tasks;
    step.emplace(known, node, node, node, node);
    step->prepare();
    for (unsigned id = 0; id < two_tasks; ++id) step->task_has_namespace(id);
    for (unsigned id = 0; id < two_tasks; ++id)
      step->task_started(id, {.rank = rank_of(id), .mask = mask_of(2 * id), .process = {{"100", "7"}}});
    for (unsigned id = 0; id < two_tasks; ++id) step->task_ready(id, {});
  }
  void end() {
    for (unsigned id = 0; id < two_tasks; ++id) step->task_died(id);
    (void)step->finish();
  }
};

TEST_F(WholeDevices, EachTaskHasTheHcaOfItsNumaNodeWithTheNodesAddress) {
  start("device");
  for (unsigned id = 0; id < 2; ++id) {
    ASSERT_EQ(node.task(id).answer, "granted");
    EXPECT_THAT(node.task(id).devices, ElementsAre("mlx5_" + std::to_string(id)));
    EXPECT_EQ(node.vfs[id].rdma_in, node.task(id).netns);
    EXPECT_EQ(node.vfs[id].netdev_in, node.task(id).netns);
    EXPECT_EQ(node.task(id).environment["CONTAINER_IB_ADDRESS"], "10.20.0." + std::to_string(id + 1) + "/16");
    EXPECT_FALSE(node.task(id).environment.contains("CONTAINER_IB_PEERS")) << "of a pool, which there is not";
  }
  end();
  expect_as_before();
}

TEST_F(WholeDevices, OneThatAnotherStepHasIsWaitedForOrRefused) {
  node.claimed["0000:20:00.0"] = "16.0@9:1000";
  start("device");
  EXPECT_THAT(node.task(0).answer.value_or(""),
              HasSubstr("2 tasks need a whole HCA each, and 1 is free (mlx5_0:1: another step has it; "
                        "mlx5_1:1: free); wait=SECONDS waits"));
}

TEST_F(WholeDevices, OneThatIsInUseOrCannotBeGivenIsNamed) {
  node.not_whole.emplace("mlx5_0", error(Errc::unusable, "has VFs, which mode vf gives"));
  start("device");
  EXPECT_THAT(node.task(0).answer.value_or(""), AllOf(HasSubstr("mlx5_0:1: has VFs, which mode vf gives"),
                                                      HasSubstr("the node has not enough even when")));
}

TEST_F(WholeDevices, NoOtherStepIsPlacedOnOneThatIsGiven) {
  node.claimed["0000:20:00.0"] = "16.0@9:1000";
  start("verbs,rails=2");
  EXPECT_EQ(node.task(0).environment["CONTAINER_IB_PORTS"], "mlx5_1:1");
}

TEST_F(WholeDevices, AStepSaysWhatItWillUseBeforeAnybodyElseClaims) {
  start("verbs,rails=1");
  std::vector<std::string> noted;
  for (const Record& record : node.journals["17.0"])
    if (const auto* ports = get_if<PortsNoted>(record)) noted.push_back(ports->ports);
  ASSERT_THAT(noted, testing::Not(IsEmpty()));
  EXPECT_EQ(noted.front(), "mlx5_0:1,mlx5_1:1");
  EXPECT_EQ(noted.size(), 2U) << "as it is placed, and as it is attached";
}

}  // namespace
}  // namespace cib::test
