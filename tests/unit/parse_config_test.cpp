#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "container_ib/config.hpp"
#include "support/paths.hpp"

namespace cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SiteConfig parsed(std::string_view text) {
  auto site = parse_config(text, "conf");
  EXPECT_TRUE(site.ok()) << (site.ok() ? "" : site.error().what);
  return site.ok() ? *site : SiteConfig{};
}

TEST(ParseConfig, ReadsEveryKey) {
  const SiteConfig site = parsed(R"(
[devices]
drivers = ["mlx5_core", "vhca"]
min_rate_fraction = 1
[modes]
allow = ["verbs", "vf"]
auto = ["vf", "verbs"]
[defaults]
rails = 2
require = true
env = ["ucx", "pmix"]
pkey = 0x8001
fabric = "fe80::"
[force]
umad = "no"
[users]
forbid = ["mtu"]
allow_umad = true
[pkeys]
allow = [0x8001, "0x7fff"]
[memlock]
raise = false
cap = "64M"
[vf]
guids = "generate"
shared_rdma = "forbid"
per_step = 8
per_user = 16
link_state = "up"
vlan = 12
qos = 3
min_tx_mbps = 0
max_tx_mbps = 40000
spoof_check = true
trust = false
[ipoib]
mode = "connected"
[addresses]
pool = "10.40.0.0/16"
nodes = ["n[0-511]", "login"]
per_node = 100
[timeouts]
rendezvous_s = 5
carrier_s = 7
[topology]
xml = "/etc/slurm/node.xml"
hand_to_nccl = true
[[nodes]]
name = ["n[0-3]", "rack[1-2]-*"]
hca = "vhca0"
[[nodes]]
name = "*"
hca = ["a", "b*"]
[[environment]]
set = { NCCL_IB_TC = 41, NCCL_NET_PLUGIN = "none" }
[[environment]]
nodes = ["n[0-3]", "gpu*"]
link_layer = "Ethernet"
driver = ["mlx5_core", "bnxt_re"]
min_rate_gbps = 100
max_rate_gbps = 200.5
set.NCCL_IB_TC = "106"
)");
  EXPECT_THAT(site.drivers, ElementsAre("mlx5_core", "vhca"));
  EXPECT_EQ(site.min_rate_fraction, 1.0);
  EXPECT_THAT(site.modes, ElementsAre(Mode::verbs, Mode::vf));
  EXPECT_TRUE(site.vf.generate_guids);
  EXPECT_FALSE(site.vf.shared_rdma);
  EXPECT_EQ(site.vf.per_step, 8U);
  EXPECT_EQ(site.vf.per_user, 16U);
  EXPECT_EQ(site.vf.settings.link_state, VfLinkState::up);
  EXPECT_EQ(site.vf.settings.vlan, 12U);
  EXPECT_EQ(site.vf.settings.qos, 3U);
  EXPECT_EQ(site.vf.settings.min_tx_mbps, 0U);
  EXPECT_EQ(site.vf.settings.max_tx_mbps, 40'000U);
  EXPECT_EQ(site.vf.settings.spoof_check, true);
  EXPECT_EQ(site.vf.settings.trust, false);
  EXPECT_TRUE(site.ipoib_connected);
  EXPECT_EQ(site.addresses.pool, "10.40.0.0/16");
  EXPECT_THAT(site.addresses.nodes, ElementsAre("n[0-511]", "login"));
  EXPECT_EQ(site.addresses.per_node, 100U);
  EXPECT_EQ(site.carrier_timeout_s, 7U);
  EXPECT_THAT(site.auto_modes, ElementsAre(Mode::vf, Mode::verbs));
  std::vector<std::string> defaults;
  for (const auto& rule : site.defaults) defaults.push_back(rule.key + "=" + rule.value);
  EXPECT_THAT(defaults, testing::UnorderedElementsAre("rails=2", "require=yes", "env=ucx+pmix", "pkey=0x8001",
                                                      "fabric=fe80::"));
  ASSERT_EQ(site.force.size(), 1U);
  EXPECT_EQ(site.force[0].value, "no");
  EXPECT_THAT(site.forbid, ElementsAre("mtu"));
  EXPECT_TRUE(site.allow_umad);
  EXPECT_THAT(site.pkeys, ElementsAre(0x8001, 0x7fff));
  EXPECT_FALSE(site.raise_memlock);
  EXPECT_EQ(site.memlock_bytes, 64U << 20);
  EXPECT_EQ(site.rendezvous_timeout_s, 5U);
  EXPECT_EQ(site.topology_xml, "/etc/slurm/node.xml");
  EXPECT_GT(site.topology_xml_line, 40U);
  EXPECT_TRUE(site.hand_to_nccl);
  ASSERT_EQ(site.nodes.size(), 2U);
  EXPECT_THAT(site.nodes[0].name, ElementsAre("n[0-3]", "rack[1-2]-*"));
  EXPECT_THAT(site.nodes[0].hca, ElementsAre("vhca0"));
  EXPECT_THAT(site.nodes[1].name, ElementsAre("*"));
  EXPECT_THAT(site.nodes[1].hca, ElementsAre("a", "b*"));
  ASSERT_EQ(site.environment.size(), 2U);
  EXPECT_THAT(site.environment[0].set, ElementsAre(EnvironmentChange{"NCCL_IB_TC", "41"},
                                                   EnvironmentChange{"NCCL_NET_PLUGIN", "none"}));
  EXPECT_TRUE(site.environment[0].nodes.empty() && site.environment[0].drivers.empty());
  EXPECT_FALSE(site.environment[0].link_layer || site.environment[0].min_rate_gbps);
  const EnvironmentRule& rule = site.environment[1];
  EXPECT_THAT(rule.nodes, ElementsAre("n[0-3]", "gpu*"));
  EXPECT_EQ(rule.link_layer, LinkLayer::ethernet);
  EXPECT_THAT(rule.drivers, ElementsAre("mlx5_core", "bnxt_re"));
  EXPECT_EQ(rule.min_rate_gbps, 100.0);
  EXPECT_EQ(rule.max_rate_gbps, 200.5);
  EXPECT_THAT(rule.set, ElementsAre(EnvironmentChange{"NCCL_IB_TC", "106"}));
  const Settings settings = resolve(parse_request("auto").value(), site).value();
  EXPECT_EQ(settings.rails, 2U);
  EXPECT_EQ(settings.fabric, "fe80:0000:0000:0000");
}

TEST(ParseConfig, RefusesWithFileLineKeyAndWhatIsAllowed) {
  const std::pair<const char*, const char*> cases[] = {
      {"x = 1",
       "conf:1: x: unknown section, allowed: devices, modes, users, pkeys, vf, ipoib, macvlan, addresses, "
       "verdict, "
       "memlock, "
       "timeouts, topology, defaults, force, nodes, fabrics, overlay, environment"},
      {"[environment]\nset = { A = 1 }", "conf:1: environment: a table, allowed: at most 64 [[environment]]"},
      {"environment = [1]", "conf:1: environment: 1, allowed: at most 64 [[environment]]"},
      {"[[environment]]\ndriver = \"mlx5_core\"",
       "conf:1: environment: an entry sets nothing, allowed: set = {"},
      {"[[environment]]\nset = {}", "conf:1: environment: an entry sets nothing"},
      {"[[environment]]\nset = 1", "conf:2: environment.set: 1, allowed: a table such as { NCCL_IB_TC"},
      {"[[environment]]\nset = { A = true }",
       "conf:2: environment.set.A: true, allowed: text and whole numbers"},
      {"[[environment]]\nset = { A = \"\" }", "conf:2: environment.set.A: an empty value"},
      {"[[environment]]\nset = { A = \"x\\ny\" }", "conf:2: environment.set.A: other than printable"},
      {"[[environment]]\nset = { \"A B\" = 1 }", "conf:2: environment.set.A B: no name of a variable"},
      {"[[environment]]\nset = { LD_PRELOAD = \"/x\" }",
       "conf:2: environment.set.LD_PRELOAD: not for the site's file to set: it decides what code a program"},
      {"[[environment]]\nset = { UCX_NET_DEVICES = \"mlx5_0:1\" }",
       "environment.set.UCX_NET_DEVICES: not for the site's file to set: it follows from the task's "
       "placement"},
      {"[[environment]]\nnodes = \"n[2-1]\"\nset = { A = 1 }",
       "conf:2: environment.nodes: 'n[2-1]' names no nodes"},
      {"[[environment]]\nlink_layer = \"IB\"\nset = { A = 1 }",
       "conf:2: environment.link_layer: \"IB\", allowed: \"InfiniBand\" and \"Ethernet\""},
      {"[[environment]]\ndriver = []\nset = { A = 1 }", "conf:2: environment.driver: this list, allowed"},
      {"[[environment]]\nmin_rate_gbps = 0\nset = { A = 1 }",
       "conf:2: environment.min_rate_gbps: 0, allowed"},
      {"[[environment]]\nmin_rate_gbps = 2\nmax_rate_gbps = 1\nset = { A = 1 }",
       "conf:1: environment: min_rate_gbps is above max_rate_gbps"},
      {"[[environment]]\nrate = 1\nset = { A = 1 }",
       "conf:2: environment.rate: unknown key, allowed: nodes, link_layer, driver, min_rate_gbps"},
      {"[vf]\nguids = true", "conf:2: vf.guids: true, allowed: \"keep\" and \"generate\""},
      {"[vf]\nshared_rdma = false", "conf:2: vf.shared_rdma: false, allowed: \"allow\" and \"forbid\""},
      {"[vf]\nper_user = -1", "conf:2: vf.per_user: -1, allowed: a number of VFs, or 0"},
      {"[vf]\nvlan = 4095", "conf:2: vf.vlan: 4095, allowed: 0 to 4094"},
      {"[vf]\ntrust = 1", "conf:2: vf.trust: 1, allowed: true and false"},
      {"[vf]\nmax_tx_mbps = -1", "conf:2: vf.max_tx_mbps: -1, allowed: a rate"},
      {"[ipoib]\nmode = \"fast\"", "conf:2: ipoib.mode: \"fast\""},
      {"[addresses]\npool = \"10.40.0.1/16\"", "conf: addresses.pool: '10.40.0.1/16' is no IPv4 prefix"},
      {"[addresses]\npool = \"10.40.0.0/16\"", "conf: addresses.nodes: needed for a pool"},
      {"[addresses]\npool = \"10.40.0.0/24\"\nnodes = \"n[1-9]\"",
       "has 254 addresses, and 9 nodes with 64 each need 576"},
      {"[addresses]\npool = \"10.40.0.0/16\"\nnodes = \"n[9-1]\"", "'n[9-1]' is no host list"},
      {"\n[device]\n", "conf:2: device: unknown section"},
      {"devices = 3", "conf:1: devices: 3, allowed: a section with drivers, min_rate_fraction"},
      {"[devices]\n\ndriver = []",
       "conf:3: devices.driver: unknown key, did you mean drivers? allowed: drivers, min_rate_fraction"},
      {"[devices]\ndrivers = 1", "conf:2: devices.drivers: 1, allowed: a list of kernel drivers"},
      {"[devices]\ndrivers = [1]", "conf:2: devices.drivers: this list, allowed"},
      {"[devices]\ndrivers = [\"\"]", "conf:2: devices.drivers"},
      {"[devices]\nmin_rate_fraction = 1.5", "conf:2: devices.min_rate_fraction: 1.5"},
      {"[devices]\nmin_rate_fraction = nan", "allowed: 0.0 to 1.0"},
      {"[devices]\nmin_rate_fraction = \"0.5\"", "\"0.5\", allowed: 0.0 to 1.0"},
      {"[modes]\nallow = [\"auto\"]", "conf:2: modes.allow: this list, allowed: a list of verbs, vf"},
      {"[modes]\nauto = [\"vf\"]", "modes.auto: vf, allowed: the modes in modes.allow"},
      {"[defaults]\nrail = 1",
       "conf:2: defaults: unknown key 'rail'; did you mean rails? keys are require, rails"},
      {"[defaults]\nrails = 33", "conf:2: defaults: rails=33: allowed are auto, all and 1 to 32"},
      {"[force]\nmtu = 1.5", "conf:2: force.mtu: 1.5"},
      {"[users]\nforbid = [\"rail\"]", "conf:2: users.forbid: this list, allowed: a list of keys"},
      {"[users]\nallow_umad = \"yes\"", "conf:2: users.allow_umad: \"yes\", allowed: true and false"},
      {"[pkeys]\nallow = [0]", "conf:2: pkeys.allow: this list, allowed: a list of P_Keys"},
      {"[pkeys]\nallow = [0x18001]", "conf:2: pkeys.allow"},
      {"[memlock]\ncap = -1", "conf:2: memlock.cap: -1, allowed: \"unlimited\" and a number of bytes"},
      {"[memlock]\ncap = \"64X\"", "conf:2: memlock.cap: \"64X\""},
      {"[memlock]\ncap = \"99999999999999999G\"", "conf:2: memlock.cap"},
      {"[timeouts]\nrendezvous_s = 0", "conf:2: timeouts.rendezvous_s: 0, allowed: 1 to 3600"},
      {"[topology]\nxml = \"node.xml\"", "conf:2: topology.xml: \"node.xml\", allowed: an absolute path"},
      {"\n[topology]\nhand_to_nccl = true",
       "conf:2: topology.hand_to_nccl: true, allowed: with topology.xml"},
      {"[topology]\nxml = \"/a\"\nhand_to_nccl = 1",
       "conf:3: topology.hand_to_nccl: 1, allowed: true and false"},
      {"[state]\ndir = \"/a\"",
       "conf:1: state: not in this file, allowed: state=/PATH behind the plugin in plugstack.conf, and "
       "'container-ib ... --state PATH'"},
      {"state = 1", "conf:1: state: not in this file, allowed: state=/PATH"},
      {"nodes = 1", "conf:1: nodes: 1, allowed: [[nodes]] entries with name and hca"},
      {"[[nodes]]\nname = \"n0\"\nhca = [\"mlx5_0,mlx5_1\"]",
       "conf:3: nodes.hca: \"mlx5_0,mlx5_1\" can match nothing, allowed: names or globs of devices"},
      {"[[nodes]]\nname = \"n0\"\nhca = \"!mlx5_0\"", "conf:3: nodes.hca: \"!mlx5_0\" can match nothing"},
      {"[[nodes]]\nname = \"n0\"\nhca = \"0000:18:00\"",
       "conf:3: nodes.hca: \"0000:18:00\" can match nothing"},
      {"fabrics = 1", "conf:1: fabrics: 1, allowed: [[fabrics]] entries"},
      {"[[fabrics]]\nname = \"a\"\nnodes = \"n[0-1]\"", "conf:1: fabrics: an entry lacks a key"},
      {"[[fabrics]]\nname = \"all\"", "conf:2: fabrics.name: \"all\", allowed: letters, digits"},
      {"[[fabrics]]\nsm_lid = 0", "conf:2: fabrics.sm_lid: 0, allowed: 1 to 49151"},
      {"[[fabrics]]\nprefix = \"x\"", "conf:2: fabrics.prefix: \"x\", allowed: a subnet prefix"},
      {"[[fabrics]]\nrail = 1",
       "conf:2: fabrics.rail: unknown key, allowed: name, nodes, prefix, sm_lid, hca"},
      {"[macvlan]\nparent = \"a/b\"",
       "conf:2: macvlan.parent: \"a/b\", allowed: the name of a network device"},
      {"[macvlan]\nparent = \"sixteencharacter\"", "allowed: the name of a network device"},
      {"[macvlan]\nmode = \"vepa\"", "conf:2: macvlan.mode: \"vepa\", allowed: \"bridge\" and \"private\""},
      {"overlay = 1", "conf:1: overlay: 1, allowed: [[overlay]] entries with nodes and first"},
      {"[[overlay]]\nnodes = [\"n0\"]",
       "conf:1: overlay: an entry lacks a key, allowed: nodes and first, both"},
      {"[[overlay]]\nnodes = [\"n[0-9]\"]\nfirst = \"10.20.0.1/29\"",
       "conf:1: overlay: the addresses of 10 nodes from 10.20.0.1/29 on are not all within its network"},
      {"[[overlay]]\nlast = 1", "conf:2: overlay.last: unknown key, allowed: nodes, first"},
      {"[[nodes]]\nname = \"n0\"", "conf:1: nodes: an entry lacks a key, allowed: name and hca"},
      {"[[nodes]]\nname = 1\nhca = \"*\"",
       "conf:2: nodes.name: 1, allowed: Slurm host lists and globs, as in \"gpu[01-16]\" and \"gpu*\""},
      {"[[nodes]]\nname = []\nhca = \"*\"", "conf:2: nodes.name: this list, allowed: Slurm host lists"},
      {"[[nodes]]\nname = [\"n0\", \"gpu[16-01]\"]\nhca = \"*\"",
       "conf:2: nodes.name: 'gpu[16-01]' names no nodes: '16-01' are no numbers such as 01-16,20"},
      {"[[nodes]]\nname = \"n0\"\nhca = \"*\"\nhost = 1",
       "conf:4: nodes.host: unknown key, allowed: name, hca"},
      {"[topology]\nxml = \"/a\"\nxml = \"/b\"", "conf:3: "},
      {"[state", "conf:1: "},
      {"\xff\xfe", "conf:1: other than ASCII"},
  };
  for (const auto& [text, expected] : cases) {
    const auto site = parse_config(text, "conf");
    ASSERT_FALSE(site.ok()) << text;
    EXPECT_EQ(site.error().code, Errc::bad_config);
    EXPECT_THAT(site.error().what, HasSubstr(expected)) << text;
    EXPECT_EQ(site.error().what.find('\n'), std::string::npos) << site.error().what;
  }
}

TEST(ParseConfig, OnlyCommentLinesMayHaveOtherThanAscii) {
  EXPECT_TRUE(parse_config("# f\xc3\xbcr MPI\n  # \xc3\xaf\n", "conf").ok());
  const auto site = parse_config("[topology]\n\xc3\xaf = 1", "conf");
  ASSERT_FALSE(site.ok());
  EXPECT_THAT(site.error().what,
              HasSubstr("conf:2: other than ASCII, allowed: only in lines that are comments"));
}

TEST(ParseConfig, UnlimitedIsTheDefaultCap) {
  EXPECT_EQ(parsed("[memlock]\ncap = \"unlimited\"").memlock_bytes, std::nullopt);
  EXPECT_EQ(parsed("[memlock]\ncap = 4096").memlock_bytes, 4096U);
  EXPECT_EQ(parsed("[memlock]\ncap = \"2G\"").memlock_bytes, 2ULL << 30);
}

TEST(ParseConfig, BoundsWhatTheEnvironmentCosts) {
  const auto entries = [](int count, bool same) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += "[[environment]]\nset = { A" + std::to_string(same ? 0 : i) + " = 1 }\n";
    return parse_config(text, "conf");
  };
  EXPECT_TRUE(entries(64, false).ok());
  EXPECT_FALSE(entries(65, true).ok());
  std::string many = "[[environment]]\n";
  for (int i = 0; i < 65; ++i) many += "set.A" + std::to_string(i) + " = 1\n";
  const auto site = parse_config(many, "conf");
  ASSERT_FALSE(site.ok());
  EXPECT_THAT(site.error().what, HasSubstr("conf:1: environment: more than 64 variables in all entries"));
}

// Steps take such a file; check-config does not.
TEST(ParseConfig, WarnsOfEntriesThatAreNeverUsed) {
  const auto warnings = [](std::string_view text) { return parsed(text).warnings; };
  const auto rule = [](const char* name) {
    return "[[nodes]]\nname = " + std::string(name) + "\nhca = \"*\"\n";
  };
  EXPECT_THAT(warnings(rule("\"gpu*\"") + rule("\"n[1-9]\"") + rule("\"*\"")), testing::IsEmpty());
  EXPECT_THAT(
      warnings(rule("\"*\"") + rule("\"gpu*\"")),
      ElementsAre("conf:4: nodes: this entry is never used, since that of line 1 comes first and is for "
                  "all of its nodes"));
  EXPECT_THAT(warnings(rule("[\"a\", \"n[1-9]\"]") + rule("\"b\"") + rule("\"n[1-9]\"")),
              ElementsAre(HasSubstr("conf:7: nodes: this entry is never used, since that of line 1")));
  EXPECT_THAT(warnings(rule("\"a\"") + rule("[\"a\", \"b\"]")), testing::IsEmpty()) << "b has a rule";
}

TEST(ParseConfig, AnEmptyHcaListIsARule) {
  const auto site = parsed("[[nodes]]\nname = \"login*\"\nhca = []");
  ASSERT_EQ(site.nodes.size(), 1U);
  EXPECT_TRUE(site.nodes[0].hca.empty());
}

// The shipped file, as it is and with every "#key = value" line switched on.
std::string shipped(bool switched_on) {
  std::ifstream file(test::in_checkout("etc/container-ib.conf"));
  EXPECT_TRUE(file.good());
  std::ostringstream text;
  for (std::string line; std::getline(file, line);) {
    const bool is_setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    text << (switched_on && is_setting ? line.substr(1) : line) << '\n';
  }
  return text.str();
}

void expect_defaults(const SiteConfig& site) {
  const SiteConfig built_in;
  EXPECT_EQ(site.drivers, built_in.drivers);
  EXPECT_EQ(site.min_rate_fraction, built_in.min_rate_fraction);
  EXPECT_EQ(site.modes, built_in.modes);
  EXPECT_EQ(site.auto_modes, built_in.auto_modes);
  EXPECT_EQ(site.forbid, built_in.forbid);
  EXPECT_EQ(site.allow_umad, built_in.allow_umad);
  EXPECT_EQ(site.pkeys, built_in.pkeys);
  EXPECT_EQ(site.memlock_bytes, built_in.memlock_bytes);
  EXPECT_EQ(site.raise_memlock, built_in.raise_memlock);
  EXPECT_EQ(site.rendezvous_timeout_s, built_in.rendezvous_timeout_s);
  EXPECT_EQ(site.topology_xml, built_in.topology_xml);
  EXPECT_EQ(site.hand_to_nccl, built_in.hand_to_nccl);
}

TEST(ShippedConfig, ParsesAndSaysTheBuiltInDefaults) {
  const SiteConfig as_is = parsed(shipped(false));
  expect_defaults(as_is);
  EXPECT_TRUE(as_is.defaults.empty() && as_is.force.empty() && as_is.nodes.empty());
  EXPECT_TRUE(as_is.environment.empty());
  expect_defaults(parsed(shipped(true)));
}

TEST(ShippedConfig, HasEveryKeyThatTheParserKnows) {
  const std::string text = shipped(true);
  ASSERT_GT(config_keys().size(), 10U);
  for (const auto& [section, key] : config_keys()) {
    const auto start = text.find("\n[" + section + "]\n");
    ASSERT_NE(start, std::string::npos) << section;
    const auto end = text.find("\n[", start + 1);
    EXPECT_NE(text.substr(start, end - start).find("\n" + key + " = "), std::string::npos)
        << section << "." << key;
  }
}

}  // namespace
}  // namespace cib
