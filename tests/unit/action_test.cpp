// Actions go through a journal as text and come back as they were.
#include "container_ib/action.hpp"

#include <gtest/gtest.h>

#include "container_ib/journal.hpp"
#include "container_ib/text.hpp"
#include "container_ib/vf.hpp"

namespace cib {
namespace {

template <class Kind>
Kind through_a_journal(const Kind& action) {
  const auto records = decode_journal(encode_record({1, Mark::intent, action}));
  EXPECT_TRUE(records.ok()) << records.error().message();
  return *get_if<Kind>(records->front());
}

// Of a whole line, what follows the mark.
std::string written(const Action& action) {
  const std::string text = record_text({1, Mark::intent, action});
  return text.substr(std::string("1 intent ").size());
}

// A line with its checksum (CRC-32 of IEEE 802.3), be the text what it may.
Result<std::vector<Record>> read(const std::string& text) {
  std::uint32_t crc = 0xffffffffU;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? 0xedb88320U ^ (crc >> 1) : crc >> 1;
  }
  return decode_journal("CIB1 " + hex(~crc, 8) + ' ' + text + '\n');
}

VfIdentity a_vf() {
  return {
      .pci = PciAddress{0, 0x21, 0, 3}, .physfn = PciAddress{0, 0x21, 0, 0}, .index = 2, .owner = "17.0@99"};
}

VfSettings all_settings() {
  VfSettings all;
  all.link_state = VfLinkState::down;
  all.node_guid = 0xffffffffffffffff;
  all.port_guid = 0;
  all.vlan = 4094;
  all.qos = 7;
  all.min_tx_mbps = 1;
  all.max_tx_mbps = 400'000;
  all.spoof_check = false;
  all.trust = true;
  return all;
}

MakeIpoibChild a_child() {
  return {.parent = PciAddress{0, 0x18, 0, 1},
          .port = 2,
          .netns = "/run/container-ib/17.0/netns-3",
          .name = "ib0",
          .temporary = "cib0123456789ab",
          .owner = "container-ib:17.0@99:netns-3:ib0",
          .pkey = 0x8005,
          .connected = true};
}

MakeMacvlan a_macvlan() {
  return {.parent = "vxlan0",
          .parent_netns = "/r/netns-overlay",
          .isolated = true,
          .netns = "/r/netns-3",
          .name = "eth0",
          .temporary = "cib0123456789ab",
          .owner = "container-ib:17.0@99:netns-3:eth0"};
}

MakeVxlan a_vxlan() {
  return {.vni = 4352,
          .local = "10.20.0.1",
          .peers = "10.20.0.2-10.20.0.9,10.20.0.12",
          .netns = "/r/netns-overlay",
          .name = "vxlan0",
          .temporary = "cib0123456789ab",
          .owner = "container-ib:17.0@99:netns-overlay:vxlan0"};
}

template <class Kind>
void expect_kept(const Kind& action) {
  EXPECT_EQ(through_a_journal(action), action) << Kind::verb;
}

TEST(Action, GoesThroughAJournalAsItWas) {
  VfSettings some;
  some.trust = false;
  expect_kept(MakeNetns{"/run/netns-3"});
  expect_kept(PinNetns{"/run/netns-0", "4711", "99"});
  expect_kept(Claim{"address-7", "17.0@99#7"});
  expect_kept(KeepAddresses{a_vf(), "10.20.0.1/16,10.20.0.2/32", 2044, true});
  expect_kept(KeepAddresses{a_vf(), "", 0, false});
  expect_kept(KeepVfNames{a_vf(), "ib3", "mlx5_4"});
  expect_kept(SetVf{a_vf(), all_settings(), some});
  expect_kept(MoveRdmaDevice{a_vf(), "/run/netns-3"});
  expect_kept(MoveVfLink{a_vf(), "/run/netns-3", "ib0", true});
  expect_kept(MoveVfLink{a_vf(), "/run/netns-3", "ib0", false});
  expect_kept(a_child());
  expect_kept(MakeIpoibChild{.port = 1});  // of the default partition
  expect_kept(MakeIpoibChild{.port = 1, .among_others = true});
  expect_kept(a_macvlan());
  expect_kept(MakeMacvlan{.parent = "eth1", .netns = "/n", .among_others = true});
  expect_kept(a_vxlan());
  expect_kept(RaiseLink{"/run/netns-3", "ib0", 4092, "10.40.0.1/16"});
  expect_kept(RaiseLink{"/run/netns-3", "ib0", std::nullopt, std::nullopt});
  expect_kept(MakeTaskFolder{"/run/container-ib-tasks/17.0-3"});
  expect_kept(WidenDeviceCgroup{"/sys/fs/cgroup/docker-1.scope", "4711", "231:192,10:58"});
}

// A journal outlives an update of the package, and `container-ib list` shows it.
TEST(Action, IsWrittenAsItAlwaysWas) {
  EXPECT_EQ(written(MakeNetns{"/n"}), "netns netns=/n");
  EXPECT_EQ(written(PinNetns{"/n", "4711", "99"}), "netns_of netns=/n pid=4711 start=99");
  EXPECT_EQ(written(Claim{"address-7", "17.0@99#7"}), "claim name=address-7 owner=17.0@99%237");
  const std::string vf = "owner=17.0@99 pci=0000:21:00.3 physfn=0000:21:00.0";
  EXPECT_EQ(written(KeepAddresses{a_vf(), "10.20.0.1/16", 2044, true}),
            "addresses addresses=10.20.0.1/16 mtu=2044 " + vf + " up=yes vf=2");
  EXPECT_EQ(written(KeepVfNames{a_vf(), "ib3", "mlx5_4"}), "vf_names netdev=ib3 " + vf + " rdma=mlx5_4 vf=2");
  EXPECT_EQ(written(SetVf{a_vf(), all_settings(), {}}),
            "vf_settings new_link_state=2 new_max_tx_mbps=400000 new_min_tx_mbps=1 "
            "new_node_guid=18446744073709551615 new_port_guid=0 new_qos=7 new_spoof_check=0 new_trust=1 "
            "new_vlan=4094 " +
                vf + " vf=2");
  EXPECT_EQ(written(MoveRdmaDevice{a_vf(), "/n"}), "rdma_move netns=/n " + vf + " vf=2");
  EXPECT_EQ(written(MoveVfLink{a_vf(), "/n", "ib0", true}),
            "vf_link name=ib0 netns=/n " + vf + " remade=yes vf=2");
  EXPECT_EQ(written(MoveVfLink{a_vf(), "/n", "ib0", false}),
            "vf_link name=ib0 netns=/n " + vf + " remade=no vf=2");
  EXPECT_EQ(
      written(a_child()),
      "ipoib_child connected=yes name=ib0 netns=/run/container-ib/17.0/netns-3 "
      "owner=container-ib:17.0@99:netns-3:ib0 pci=0000:18:00.1 pkey=0x8005 port=2 temporary=cib0123456789ab");
  EXPECT_EQ(written(a_macvlan()),
            "macvlan isolated=yes name=eth0 netns=/r/netns-3 owner=container-ib:17.0@99:netns-3:eth0 "
            "parent=vxlan0 parent_netns=/r/netns-overlay temporary=cib0123456789ab");
  EXPECT_EQ(written(a_vxlan()),
            "vxlan local=10.20.0.1 name=vxlan0 netns=/r/netns-overlay "
            "owner=container-ib:17.0@99:netns-overlay:vxlan0 peers=10.20.0.2-10.20.0.9,10.20.0.12 "
            "temporary=cib0123456789ab vni=4352");
  EXPECT_EQ(written(RaiseLink{"/n", "ib0", 4092, "10.40.0.1/16"}),
            "link_up address=10.40.0.1/16 mtu=4092 name=ib0 netns=/n");
  EXPECT_EQ(written(RaiseLink{"/n", "ib0", std::nullopt, std::nullopt}), "link_up name=ib0 netns=/n")
      << "the parent's";
  EXPECT_EQ(written(MakeTaskFolder{"/f/17.0-3"}), "task_folder folder=/f/17.0-3");
  EXPECT_EQ(written(WidenDeviceCgroup{"/c", "17", "231:192,10:58"}),
            "device_cgroup devices=231:192,10:58 directory=/c inode=17");
}

TEST(Action, ThatLacksItsFieldsOrIsUnknownIsCorrupt) {
  EXPECT_TRUE(read("1 intent netns netns=/n").ok()) << "the checksum of this test is wrong";
  for (const char* text :
       {"1 intent vf_link pci=nonsense physfn=0000:21:00.0 vf=0",
        "1 intent vf_link pci=0000:21:00.1 physfn=0000:21:00.0",
        "1 intent vf_settings pci=0000:21:00.1 physfn=0000:21:00.0 vf=0 old_trust=maybe",
        "1 intent ipoib_child pci=0000:21:00.1 port=1 pkey=8005", "1 intent macvlan_of_later name=x",
        "1 undone claim of=it", "1 done task task=-1"}) {
    const auto records = read(text);
    ASSERT_FALSE(records.ok()) << text;
    EXPECT_EQ(records.error().code, Errc::corrupt) << text;
  }
}

TEST(Action, SaysWhatItIsDoneToAndWhatItRestsOn) {
  const std::string vf = "0000:21:00.3";
  EXPECT_EQ(thing_of(Claim{vf, "17.0@99"}), vf);
  for (const Action& action :
       {Action(KeepVfNames{a_vf(), "", ""}), Action(SetVf{a_vf(), {}, {}}),
        Action(MoveRdmaDevice{a_vf(), "/n"}), Action(MoveVfLink{a_vf(), "/n", "ib0", false})})
    EXPECT_EQ(thing_of(action), vf) << verb_of(action) << ": as its claim's";
  EXPECT_EQ(rests_on(MoveVfLink{a_vf(), "/n", "ib0", false}),
            std::vector<std::string>{thing_of(MakeNetns{"/n"})});
  EXPECT_EQ(thing_of(a_child()), thing_of(RaiseLink{a_child().netns, "ib0", {}, {}}));
  EXPECT_NE(thing_of(a_child()), thing_of(RaiseLink{a_child().netns, "ib1", {}, {}}));
}

TEST(TemporaryLinkName, FitsTheKernelsLimitAndTellsOwnersApart) {
  EXPECT_EQ(temporary_link_name("a").size(), 15U);
  EXPECT_EQ(temporary_link_name("container-ib:17.0@99:netns-3:ib0"), "cibe03d7048e6d3")
      << "a later release's reaper looks for it";
  EXPECT_EQ(temporary_link_name("a"), temporary_link_name("a"));
  EXPECT_NE(temporary_link_name("a"), temporary_link_name("b"));
}

TEST(GeneratedVfGuid, IsLocalAndTellsVfsPortsAndPfsApart) {
  const auto guid = generated_vf_guid(0x506b4b03003ceee8, 3, VfGuid::port);
  EXPECT_EQ(guid, generated_vf_guid(0x506b4b03003ceee8, 3, VfGuid::port));
  EXPECT_NE(guid, generated_vf_guid(0x506b4b03003ceee8, 3, VfGuid::node));
  EXPECT_NE(guid, generated_vf_guid(0x506b4b03003ceee8, 2, VfGuid::port));
  EXPECT_NE(guid, generated_vf_guid(0x506b4b03003ceee9, 3, VfGuid::port));
  EXPECT_EQ(guid >> 56 & 3, 2U) << "locally administered, not a group";
  // A subnet manager may have them in its tables, so no release makes others.
  EXPECT_EQ(generated_vf_guid(0x506b4b03003ceee8, 3, VfGuid::node), 0x96b7fa81741d1fe5);
  EXPECT_EQ(guid, 0x76bd3378692dd5c4);
}

}  // namespace
}  // namespace cib
