#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container_ib/request.hpp"
#include "container_ib/text.hpp"

namespace cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Request parsed(std::string_view text) {
  auto request = parse_request(text);
  EXPECT_TRUE(request.ok()) << text << ": " << (request.ok() ? "" : request.error().what);
  return request.ok() ? *request : Request{};
}

std::string refusal(std::string_view text) {
  const auto request = parse_request(text);
  if (request.ok()) return "accepted";
  EXPECT_EQ(request.error().code, Errc::bad_request);
  EXPECT_EQ(request.error().what.find('\n'), std::string::npos);
  EXPECT_TRUE(request.error().what.starts_with("--container-ib: ")) << request.error().what;
  return request.error().what;
}

TEST(ParseRequest, NothingMeansAutoAndDecidesNoKey) {
  const Request request = parsed("");
  EXPECT_EQ(request.mode, Mode::auto_);
  for (const auto key : request_keys()) EXPECT_FALSE(key_is_given(request, key)) << key;
}

TEST(ParseRequest, KnowsEveryMode) {
  const std::vector<std::pair<std::string, Mode>> modes = {
      {"auto", Mode::auto_},    {"verbs", Mode::verbs},     {"vf", Mode::vf},
      {"ipoib", Mode::ipoib},   {"macvlan", Mode::macvlan}, {"overlay", Mode::overlay},
      {"device", Mode::device}, {"ovs", Mode::ovs},         {"none", Mode::none}};
  EXPECT_EQ(modes.size(), mode_table.size());
  for (const auto& [name, mode] : modes) {
    EXPECT_EQ(parsed(name).mode, mode);
    EXPECT_EQ(mode_name(mode), name);
  }
}

TEST(ParseRequest, ReadsEveryKey) {
  const Request request = parsed(
      "vf,require=no,rails=8,hca=mlx5_[01],place=spread,fabric=fe80::,roce=yes,gpu=no,scope=node,"
      "pkey=0x8001,mtu=2044,env=ucx+ompi,report=full,umad=yes,inject=providers,batch=yes,wait=60,folder=yes");
  EXPECT_EQ(request.require, false);
  EXPECT_EQ(request.rails, 8U);
  EXPECT_EQ(request.hca, "mlx5_[01]");
  EXPECT_EQ(request.place, Place::spread);
  EXPECT_EQ(request.fabric, "fe80:0000:0000:0000");
  EXPECT_EQ(request.roce, Roce::yes);
  EXPECT_EQ(request.gpu, Gpus::no);
  EXPECT_EQ(request.scope, Scope::node);
  EXPECT_EQ(request.pkey, 0x8001);
  EXPECT_EQ(request.mtu, 2044U);
  EXPECT_THAT(request.env.value(), ElementsAre("ucx", "ompi"));
  EXPECT_EQ(request.report, ReportLevel::full);
  EXPECT_EQ(request.umad, true);
  EXPECT_EQ(request.inject, Inject::providers);
  EXPECT_EQ(request.batch, true);
  EXPECT_EQ(request.wait_s, 60U);
  EXPECT_EQ(request.folder, Folder::yes);
  for (const auto key : request_keys()) EXPECT_TRUE(key_is_given(request, key)) << key;
}

TEST(ParseRequest, RefusesAndSaysWhatIsAllowed) {
  struct Case {
    const char* text;
    const char* operand;
    const char* allowed;
  };
  const Case cases[] = {
      {"bogus", "unknown mode 'bogus'", "auto, verbs, vf, ipoib, macvlan, overlay, device, ovs, none"},
      {"rails=2", "unknown mode 'rails=2'", "before any key=value"},
      {"VERBS", "unknown mode 'VERBS'", "verbs"},
      {" verbs", "unknown mode ' verbs'", "verbs"},
      {",rails=2", "unknown mode ''", "auto"},
      {"verbs,", "'' is not of the form key=value", "require, rails, hca"},
      {"verbs,yes", "'yes' is not of the form key=value", "require, rails, hca"},
      {"verbs,rail=2", "unknown key 'rail'", "require, rails, hca, place, fabric"},
      {"verbs,=2", "unknown key ''", "require, rails"},
      {"verbs,rails=1,rails=1", "key 'rails' is given twice", "once"},
      {"verbs,require=true", "require=true", "yes and no"},
      {"verbs,rails=0", "rails=0", "auto, all and 1 to 32"},
      {"verbs,rails=33", "rails=33", "auto, all and 1 to 32"},
      {"verbs,rails=", "rails=", "auto, all and 1 to 32"},
      {"verbs,rails=+1", "rails=+1", "auto, all and 1 to 32"},
      {"verbs,rails=1x", "rails=1x", "auto, all and 1 to 32"},
      {"verbs,rails=99999999999999999999", "rails=9999", "auto, all and 1 to 32"},
      {"verbs,hca=", "hca=", "device names or globs"},
      {"verbs,hca=a/b", "hca=a/b", "device names or globs"},
      {"verbs,place=near", "place=near", "balanced, nearest and spread"},
      {"verbs,fabric=1", "fabric=1", "auto, all, a subnet prefix"},
      {"verbs,fabric=fe80:0:0:0:0", "fabric=fe80", "auto, all, a subnet prefix"},
      {"verbs,gpu=yes", "gpu=yes", "auto, local and no"},
      {"verbs,scope=job", "scope=job", "task and node"},
      {"verbs,pkey=0x0000", "pkey=0x0000", "but not 0x8000"},
      {"verbs,pkey=0x8000", "pkey=0x8000", "but not 0x8000"},
      {"verbs,pkey=0x10001", "pkey=0x10001", "0x0001 to 0xffff"},
      {"verbs,pkey=8001", "pkey=8001", "0x0001 to 0xffff"},
      {"verbs,mtu=0", "mtu=0", "68 to 65520"},
      {"verbs,env=", "env=", "auto, none, or some of ucx ompi"},
      {"verbs,env=ucx+", "env=ucx+", "some of ucx ompi"},
      {"verbs,env=ucx+ucx", "env=ucx+ucx", "each once"},
      {"verbs,env=auto+ucx", "env=auto+ucx", "auto, none, or"},
      {"verbs,env=openmpi", "env=openmpi", "ompi pmix"},
      {"verbs,report=yes", "report=yes", "off, summary and full"},
      {"verbs,wait=-1", "wait=-1", "0 to 86400 seconds"},
  };
  for (const auto& c : cases) {
    const std::string text = refusal(c.text);
    EXPECT_THAT(text, HasSubstr(c.operand)) << c.text;
    EXPECT_THAT(text, HasSubstr(c.allowed)) << c.text;
  }
}

TEST(ParseRequest, HostileTextGivesOneShortPrintableLine) {
  const std::string nul("ver\0bs", 6);
  const std::string texts[] = {nul,
                               "verbs," + nul + "=1",
                               "verbs,hca=" + nul,
                               "\xff\xfe,\xc3\x28",
                               "verbs,\n\r\t=\x1b[31m",
                               std::string(1 << 20, 'a'),
                               "verbs," + std::string(1 << 20, '='),
                               "verbs,env=" + std::string(1 << 20, '+'),
                               std::string(1 << 20, ',')};
  for (const auto& text : texts) {
    const std::string line = refusal(text);
    EXPECT_NE(line, "accepted");
    EXPECT_LT(line.size(), 400U);
    for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
  }
  EXPECT_THAT(refusal(nul), HasSubstr("'ver\\x00bs'"));
}

TEST(ParseRequest, SaysWhichModesThisVersionHas) {
  for (const auto mode : {Mode::auto_, Mode::verbs, Mode::vf, Mode::ipoib, Mode::none})
    EXPECT_TRUE(check_mode(mode).ok());
  for (const auto mode : {Mode::ovs}) {
    const Status status = check_mode(mode);
    ASSERT_FALSE(status.ok()) << mode_name(mode);
    EXPECT_EQ(status.error().code, Errc::unsupported);
  }
  EXPECT_EQ(check_mode(Mode::ovs).error().what,
            "--container-ib=ovs: mode ovs is not in this version; available: auto, verbs, vf, ipoib, "
            "macvlan, overlay, device, none");
}

TEST(SubnetPrefix, ReadsTheFormsThatPeopleWrite) {
  for (const char* text : {"fe80:0000:0000:0000", "fe80::", "0xfe80000000000000", "fe80:0:0:0"})
    EXPECT_EQ(parse_subnet_prefix(text), 0xfe80000000000000U) << text;
  EXPECT_EQ(subnet_prefix_text(0xfec0000000000a01), "fec0:0000:0000:0a01");
  for (const char* text : {"", "::", "fe80", "fe80:", "fe80:::", "12345::", "1:2:3:4:5", "1:2:3:4::x", "0x",
                           "0x11111111111111111", "-1", "g::"})
    EXPECT_EQ(parse_subnet_prefix(text), std::nullopt) << text;
}

TEST(Printable, ShowsAsciiAndTheRestAsNumbers) {
  EXPECT_EQ(printable(" ~"), " ~");
  EXPECT_EQ(printable("\x1f\x7f\x80\xff"), "\\x1f\\x7f\\x80\\xff");
  EXPECT_EQ(printable("abcde", 5), "abcde");
  EXPECT_EQ(printable("abcdef", 5), "abcde...");
  EXPECT_EQ(printable("abcd\n", 5), "abcd...") << "no half of a number";
}

TEST(ParseRequest, TakesTheEndsOfEachRange) {
  for (const char* text :
       {"verbs,rails=1", "verbs,rails=32", "verbs,mtu=68", "verbs,mtu=65520", "verbs,wait=0",
        "verbs,wait=86400", "verbs,pkey=0x0001", "verbs,pkey=0xffff", "verbs,pkey=0x7fff"})
    EXPECT_TRUE(parse_request(text).ok()) << text;
  for (const char* text : {"verbs,mtu=67", "verbs,mtu=65521", "verbs,wait=86401", "verbs,pkey=0x"})
    EXPECT_NE(refusal(text), "accepted") << text;
  EXPECT_EQ(parsed("verbs,hca=" + std::string(512, 'x')).hca, std::string(512, 'x'));
  EXPECT_NE(refusal("verbs,hca=" + std::string(513, 'x')), "accepted");
  EXPECT_EQ(parsed("verbs,rails=auto").rails, 0U);
  EXPECT_EQ(parsed("verbs,require=yes").require, true);
}

TEST(Glob, MatchesAsAShellDoes) {
  const std::pair<const char*, const char*> matching[] = {{"*", ""},
                                                          {"*", "mlx5_0"},
                                                          {"mlx5_?", "mlx5_9"},
                                                          {"mlx5_[0-3]", "mlx5_2"},
                                                          {"mlx5_[!0]", "mlx5_1"},
                                                          {"*_*_*", "mlx5_bond_0"},
                                                          {"ibp*s0", "ibp1s0"},
                                                          {"a[", "a["},
                                                          {"[]]", "]"},
                                                          {"*a*a*a*b", "aaaaaaaab"},
                                                          {"[a-]", "-"},
                                                          {"[^0]", "1"},
                                                          {"[a-c]", "a"},
                                                          {"[a-c]", "c"},
                                                          {"x[ab]*y", "xbzy"},
                                                          {"a[b", "a[b"},
                                                          {"a**", "a"},
                                                          {"[!]a]", "b"}};
  for (const auto& [pattern, text] : matching) EXPECT_TRUE(glob_match(pattern, text)) << pattern;
  const std::pair<const char*, const char*> other[] = {{"", "a"},
                                                       {"mlx5_?", "mlx5_10"},
                                                       {"mlx5_[0-3]", "mlx5_4"},
                                                       {"mlx5_[!0]", "mlx5_0"},
                                                       {"mlx5_1", "mlx5_10"},
                                                       {"a*b", "ac"},
                                                       {"?", ""},
                                                       {"[^0]", "0"},
                                                       {"[a-c]", "-"},
                                                       {"[a-c]", "d"},
                                                       {"[a-c]", "`"},
                                                       {"[!]a]", "]"},
                                                       {"a*", "ba"},
                                                       {"*a", "ab"}};
  for (const auto& [pattern, text] : other) EXPECT_FALSE(glob_match(pattern, text)) << pattern;
  EXPECT_FALSE(glob_match(std::string(200, '*') + "b", std::string(100000, 'a'))) << "and ends soon";
}

}  // namespace
}  // namespace cib
