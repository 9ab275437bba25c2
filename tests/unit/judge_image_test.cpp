#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container_ib/image.hpp"

namespace cib {

void PrintTo(const ImageLine& line, std::ostream* out) {
  *out << static_cast<int>(line.kind) << " " << line.text;
}

namespace {

using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Kind = ImageLine::Kind;
using Part = ImageOpenMpi::Part;

// All that an image needs.
ImageFacts complete() {
  ImageFacts facts;
  facts.glibc = "/lib64/ld-linux-x86-64.so.2";
  facts.glibc_version = "2.36";
  facts.verbs = ImageVerbs{"/usr/lib64/libibverbs.so.1",
                           "rdmav34",
                           "/etc/libibverbs.d",
                           {"mlx5", "mlx4"},
                           {"libmlx4-rdmav34.so", "libmlx5-rdmav34.so"}};
  facts.ucx = {{"/usr/lib64/libucp.so.0", true, true}};
  facts.open_mpi = {{"/usr/lib64/openmpi/lib/libmpi.so.40", Part::component, Part::none, false}};
  facts.pmix = {{"/usr/lib64/libpmix.so.2", "4.2.2"}};
  return facts;
}

const ImageNeeds mlx5 = {{{"mlx5_0", "mlx5_core"}, {"mlx5_1", "mlx5_core"}}, "4.2.2"};

std::vector<std::string> texts(Kind kind, const ImageFacts& facts, const ImageNeeds& needs = mlx5) {
  std::vector<std::string> found;
  for (const auto& line : judge_image(facts, needs))
    if (line.kind == kind) found.push_back(line.text);
  return found;
}

std::vector<std::string> findings(const ImageFacts& facts, const ImageNeeds& needs = mlx5) {
  return texts(Kind::finding, facts, needs);
}

// The one finding.
std::string finding(const ImageFacts& facts, const ImageNeeds& needs = mlx5) {
  const auto found = findings(facts, needs);
  return found.size() == 1 ? found[0] : testing::PrintToString(found);
}

TEST(JudgeImage, HasNothingToSayOfACompleteOne) {
  EXPECT_THAT(judge_image(complete(), mlx5), Each(testing::Field(&ImageLine::kind, Kind::fine)));
  EXPECT_THAT(texts(Kind::fine, complete()), Contains("provider mlx5 for mlx5_0, mlx5_1"));
}

TEST(JudgeImage, MissesLibibverbs) {
  ImageFacts facts = complete();
  facts.verbs.reset();
  EXPECT_THAT(finding(facts), HasSubstr("no libibverbs.so.1: nothing in the image can use an HCA"));
}

TEST(JudgeImage, MissesTheProviderOfTheHcas) {
  ImageFacts facts = complete();
  facts.verbs->providers = {"libmlx4-rdmav34.so"};
  EXPECT_EQ(
      finding(facts),
      "no provider mlx5: libibverbs leaves mlx5_0, mlx5_1 out (\"no userspace device-specific driver\"), "
      "and MPI goes by TCP; install libmlx5-rdmav34.so in the image (Debian: ibverbs-providers; Red Hat: "
      "libibverbs)");
}

TEST(JudgeImage, MissesOneOfTwoProviders) {
  ImageNeeds needs = mlx5;
  needs.hcas.push_back({"irdma0", "ice"});
  EXPECT_THAT(finding(complete(), needs), HasSubstr("no provider irdma: libibverbs leaves irdma0 out"));
}

TEST(JudgeImage, SeesAProviderOfAnotherRelease) {
  ImageFacts facts = complete();
  facts.verbs->suffix = "rdmav57";
  EXPECT_THAT(finding(facts), HasSubstr("libmlx5-rdmav34.so is not of the same release as "
                                        "/usr/lib64/libibverbs.so.1, which loads libmlx5-rdmav57.so"));
}

TEST(JudgeImage, SeesAProviderThatNoFileNames) {
  ImageFacts facts = complete();
  facts.verbs->named = {"mlx4"};
  EXPECT_THAT(finding(facts), HasSubstr("no file in /etc/libibverbs.d names the provider mlx5"));
}

TEST(JudgeImage, WithoutHcasMissesProvidersOnlyWhereThereAreNone) {
  ImageFacts facts = complete();
  facts.verbs->providers = {"libmlx4-rdmav34.so"};
  EXPECT_THAT(findings(facts, {}), IsEmpty());
  facts.verbs->providers.clear();
  EXPECT_THAT(finding(facts, {}), HasSubstr("no provider at all"));
}

TEST(JudgeImage, SaysOfAnUnknownDriverThatItIs) {
  const ImageNeeds needs = {{{"new_0", "newnic"}}, ""};
  EXPECT_THAT(findings(complete(), needs), IsEmpty());
  EXPECT_THAT(texts(Kind::note, complete(), needs), Contains(HasSubstr("kernel driver 'newnic'")));
}

TEST(JudgeImage, KnowsTheProviderOfEachDriver) {
  const std::vector<std::pair<std::string, std::string>> known = {
      {"mlx5_core", "mlx5"},  {"mlx4_core", "mlx4"}, {"ice", "irdma"},      {"bnxt_en", "bnxt_re"},
      {"hns3", "hns"},        {"efa", "efa"},        {"mana", "mana"},      {"erdma", "erdma"},
      {"rdma_rxe", "rxe"},    {"siw", "siw"},        {"hfi1", "hfi1verbs"}, {"ib_qib", "ipathverbs"},
      {"vhca", "ipathverbs"}, {"cxgb4", "cxgb4"},    {"qede", "qedr"},      {"ionic", "ionic"},
      {"be2net", "ocrdma"},   {"ib_mthca", "mthca"}, {"usnic_verbs", ""},   {"", ""},
  };
  for (const auto& [driver, provider] : known) EXPECT_EQ(verbs_provider(driver), provider) << driver;
}

TEST(JudgeImage, MissesInfiniBandInUcx) {
  ImageFacts facts = complete();
  facts.ucx = {{"/opt/ucx/lib/libucp.so.0", false, false}};
  EXPECT_THAT(finding(facts), HasSubstr("UCX without InfiniBand: /opt/ucx/lib/libucp.so.0 has no "
                                        "ucx/libuct_ib.so.0"));
}

TEST(JudgeImage, NotesPlainVerbsInUcxOnMlx5Only) {
  ImageFacts facts = complete();
  facts.ucx = {{"/usr/lib64/libucp.so.0", true, false}};
  EXPECT_THAT(findings(facts), IsEmpty());
  EXPECT_THAT(texts(Kind::note, facts), Contains(HasSubstr("no ucx/libuct_ib_mlx5.so.0")));
  EXPECT_THAT(texts(Kind::note, facts, {{{"mlx4_0", "mlx4_core"}}, ""}), IsEmpty());
}

TEST(JudgeImage, MissesBothUcxAndOfiInOpenMpi) {
  ImageFacts facts = complete();
  facts.open_mpi[0].ucx = Part::none;
  EXPECT_THAT(finding(facts), HasSubstr("has neither UCX nor OFI: its messages go by TCP"));
  facts.open_mpi[0].ofi = Part::component;
  EXPECT_THAT(finding(facts), HasSubstr("made for OFI, but there is no libfabric.so.1"));
  facts.libfabric = "/usr/lib64/libfabric.so.1";
  EXPECT_THAT(findings(facts), IsEmpty());
}

TEST(JudgeImage, MissesTheUcxThatOpenMpiIsMadeFor) {
  ImageFacts facts = complete();
  facts.ucx.clear();
  EXPECT_THAT(finding(facts), HasSubstr("made for UCX, but there is no libucp.so.0: it does without"));
  facts.open_mpi[0].ofi = Part::component;
  facts.libfabric = "/usr/lib64/libfabric.so.1";
  EXPECT_THAT(findings(facts), IsEmpty()) << "it has OFI then";
  facts.open_mpi[0].ucx = Part::built_in;
  EXPECT_THAT(finding(facts), HasSubstr("made for UCX, but there is no libucp.so.0: no program"));
}

TEST(JudgeImage, LooksAtEachOpenMpiByItself) {
  ImageFacts facts = complete();
  facts.open_mpi.push_back({"/opt/mine/lib/libmpi.so.40", Part::none, Part::none, false});
  EXPECT_THAT(finding(facts), HasSubstr("Open MPI (/opt/mine/lib/libmpi.so.40) has neither"));
}

TEST(JudgeImage, ComparesPmixWithTheServers) {
  const auto talks = [](const std::string& client, const std::string& server) {
    ImageFacts facts = complete();
    facts.pmix = {{"/usr/lib64/libpmix.so.2", client}};
    return findings(facts, {mlx5.hcas, server}).empty();
  };
  for (const char* client : {"2.0.3", "2.1.1", "2.2.5", "3.0.0", "3.2.5a1", "5.0.7a1", "7.0.0rc1", ""})
    for (const char* server :
         {"2.2.5", "3.2.5", "4.2.2rc2", "5.0.7a1", "", "of a future that has no numbers"})
      EXPECT_TRUE(talks(client, server)) << client << " with " << server;
  for (const char* client : {"1.2.5", "2.0.0", "2.0.2", "2.1.0", "1.1.4"})
    EXPECT_FALSE(talks(client, "4.2.2")) << client;
  EXPECT_TRUE(talks("1.2.5", "2.1.1")) << "by the Unix socket that both have";
  EXPECT_FALSE(talks("1.2.4", "2.1.1"));
  EXPECT_FALSE(talks("2.0.3", "2.1.0"));
  EXPECT_TRUE(talks("2.1.0", "2.1.0")) << "of one series";
}

TEST(JudgeImage, SaysWhatAnUnfitPmixMeans) {
  ImageFacts facts = complete();
  facts.pmix[0].version = "2.0.1";
  EXPECT_THAT(finding(facts),
              HasSubstr("PMIx 2.0.1 (/usr/lib64/libpmix.so.2) cannot talk to the step's server of "
                        "version 4.2.2: each rank starts alone"));
}

TEST(JudgeImage, MissesPmixWhereAServerWaits) {
  ImageFacts facts = complete();
  facts.pmix.clear();
  EXPECT_THAT(finding(facts), HasSubstr("no PMIx: Open MPI cannot reach the step's server"));
  EXPECT_THAT(findings(facts, {mlx5.hcas, ""}), IsEmpty()) << "no step, no server";
  facts.open_mpi[0].pmix = true;
  EXPECT_THAT(findings(facts), IsEmpty()) << "it brings its own";
}

TEST(JudgeImage, SaysOfMuslThatNothingCanBeLent) {
  ImageFacts facts = complete();
  facts.glibc.clear();
  facts.glibc_version.clear();
  facts.musl = "/lib/ld-musl-x86_64.so.1";
  EXPECT_THAT(findings(facts), IsEmpty()) << "it has its own";
  EXPECT_THAT(texts(Kind::note, facts), Contains(HasSubstr("musl instead of glibc")));
  facts.verbs.reset();
  EXPECT_THAT(findings(facts), Contains(HasSubstr("musl instead of glibc (/lib/ld-musl-x86_64.so.1)")));
  facts.glibc = "/lib64/ld-linux-x86-64.so.2";
  EXPECT_THAT(findings(facts), Not(Contains(HasSubstr("musl")))) << "it has both";
}

TEST(JudgeImage, SaysWhatWasNotLookedAt) {
  ImageFacts facts = complete();
  facts.whole = false;
  EXPECT_THAT(texts(Kind::note, facts), Contains(HasSubstr("something may have been missed")));
  facts.ucx.clear();
  facts.open_mpi.clear();
  EXPECT_THAT(texts(Kind::note, facts), Contains(HasSubstr("neither UCX nor Open MPI was found")));
}

TEST(JudgeImage, WhatTheImageNamesIsShownInOneLine) {
  ImageFacts facts = complete();
  facts.ucx = {{"/opt/\x1b[2J\n/libucp.so.0", false, false}};
  EXPECT_THAT(finding(facts), HasSubstr("/opt/\\x1b[2J\\x0a/libucp.so.0"));
}

TEST(ImageCodec, ReadsWhatItWrites) {
  ImageFacts facts = complete();
  facts.musl = "/lib/ld-musl-x86_64.so.1";
  facts.ucx.push_back({"/opt/a b%\n/libucp.so.0", false, true});
  facts.libfabric = "/usr/lib64/libfabric.so.1";
  facts.open_mpi.push_back({"/opt/mpi/lib/libmpi.so.40", Part::none, Part::built_in, true});
  facts.whole = false;
  EXPECT_EQ(decode_image(encode_image(facts)).value(), facts);
  EXPECT_EQ(decode_image(encode_image({})).value(), ImageFacts{});
}

TEST(ImageCodec, RefusesWhatItDoesNotWrite) {
  const std::string good = encode_image(complete());
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(decode_image(good.substr(0, size)).ok()) << "cut off after " << size << " bytes";
  const std::string heading = "container-ib image 1\n", end = "whole yes\n";
  EXPECT_TRUE(decode_image(heading + end).ok());
  for (const char* line :
       {"", "ucx /a yes\n", "ucx /a yes maybe\n", "open-mpi /a yes no no\n", "pmix /a 1 2\n", "named mlx5\n",
        "ucx %zz yes no\n", "verbs a b c\nverbs a b c\n", "other\n", "provider x\n"}) {
    const std::string text = heading + line + (*line ? end : "whole maybe\n");
    EXPECT_FALSE(decode_image(text).ok()) << text;
  }
}

TEST(LoaderConf, IsReadAsLdconfigDoes) {
  const auto conf = parse_loader_conf(
      "# a comment\n include ld.so.conf.d/*.conf\t/opt/*.conf # two\n\n/usr/lib64\n /opt/with blank/lib \r\n"
      "/old/lib=libc6\nrelative/lib\nhwcap 0 nosegneg\n/last");
  EXPECT_THAT(conf.folders, testing::ElementsAre("/usr/lib64", "/opt/with blank/lib", "/old/lib", "/last"));
  EXPECT_THAT(conf.includes, testing::ElementsAre("/etc/ld.so.conf.d/*.conf", "/opt/*.conf"));
}

TEST(TextWith, IsWhatIsPrintableAroundIt) {
  using namespace std::string_view_literals;
  EXPECT_EQ(text_with("\0/usr/lib%s-a.so\0x"sv, "lib%s-"), "/usr/lib%s-a.so");
  EXPECT_EQ(text_with("abc", "b"), "abc");
  EXPECT_EQ(text_with("abc", "d"), "");
}

}  // namespace
}  // namespace cib
