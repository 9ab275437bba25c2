#include "container_ib/verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cib {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kB = 1000, MB = 1000 * kB, GB = 1000 * MB;

TEST(HumanBytes, UsesDecimalUnits) {
  const std::pair<std::uint64_t, const char*> cases[] = {
      {0, "0 B"},           {999, "999 B"},     {1000, "1.0 kB"},     {1536, "1.5 kB"},
      {999949, "999.9 kB"}, {999950, "1.0 MB"}, {64 * GB, "64.0 GB"}, {UINT64_MAX, "18.4 EB"}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(human_bytes(bytes), text);
}

// The tasks' interface and the node's IPoIB below it count the same bytes.
TEST(Judge, AnOverlaysBytesAreTcpAndNotVerbs) {
  Traffic traffic{.verbs_sent = 810 * MB, .tcp_sent = 800 * MB, .nodes_ipoib = 810 * MB, .nodes = 2};
  EXPECT_EQ(judge(traffic).verdict, Verdict::not_native);
  EXPECT_THAT(judge(traffic).reason, HasSubstr("0 B by verbs, 800.0 MB by TCP"));
  traffic.nodes_ipoib = 0;
  EXPECT_NE(judge(traffic).verdict, Verdict::not_native);
}

TEST(Judge, TellsWhatCarriedTheData) {
  struct Case {
    const char* what;
    Traffic traffic;
    Verdict verdict;
  };
  const auto traffic = [](std::uint64_t verbs, std::uint64_t tcp, unsigned nodes) {
    return Traffic{.verbs_sent = verbs, .tcp_sent = tcp, .nodes = nodes};
  };
  const Case cases[] = {
      {"ping-pong by verbs, start-up by TCP", traffic(800 * MB, 110 * kB, 2), Verdict::native},
      {"small messages by verbs", traffic(300 * kB, 110 * kB, 2), Verdict::native},
      {"the same by TCP", traffic(0, 800 * MB, 2), Verdict::not_native},
      {"by TCP while the subnet manager sweeps", traffic(6 * kB, 5 * MB, 2), Verdict::not_native},
      {"hostname on two nodes", traffic(0, 110 * kB, 2), Verdict::unknown},
      {"nothing", traffic(0, 0, 2), Verdict::unknown},
      {"nothing but the subnet manager's", traffic(20 * kB, 4 * kB, 2), Verdict::unknown},
      {"a large start-up", traffic(0, 30 * MB, 512), Verdict::unknown},
      {"verbs and the input by NFS", traffic(50 * GB, 2 * GB, 8), Verdict::native},
      {"as much by TCP as by verbs", traffic(3 * GB, 2 * GB, 8), Verdict::unknown},
      {"TCP with some verbs", traffic(1 * MB, 2 * GB, 8), Verdict::not_native},
      {"start-up of two nodes at its largest", traffic(0, 512 * kB, 2), Verdict::unknown},
      {"and a byte more", traffic(0, 512 * kB + 1, 2), Verdict::not_native},
      {"less than the subnet manager moves", traffic(63'999, 800 * MB, 2), Verdict::not_native},
      {"as much, and TCP within start-up", traffic(64'000, 110 * kB, 2), Verdict::native},
      {"four times as much by verbs", traffic(40 * MB, 10 * MB, 2), Verdict::native},
      {"not quite", traffic(40 * MB - 1, 10 * MB, 2), Verdict::unknown},
      {"four times as much by TCP", traffic(10 * MB, 40 * MB, 2), Verdict::not_native},
      {"not quite that either", traffic(10 * MB, 40 * MB - 1, 2), Verdict::unknown},
      {"one node, less than the subnet manager moves", traffic(63'999, 0, 1), Verdict::shm_only},
      {"one node, as much", traffic(64'000, 0, 1), Verdict::native},
      {"one node, shared memory", traffic(0, 40 * kB, 1), Verdict::shm_only},
      {"one node, files by TCP", traffic(0, 40 * GB, 1), Verdict::shm_only},
      {"one node through the HCA", traffic(2 * GB, 0, 1), Verdict::native},
  };
  for (const auto& c : cases) {
    const auto judgement = judge(c.traffic);
    EXPECT_EQ(judgement.verdict, c.verdict) << c.what << ": " << judgement.reason;
    EXPECT_THAT(judgement.reason, HasSubstr("by verbs")) << c.what;
  }
}

TEST(Judge, KnowsAStepThatMovesNothing) {
  const auto idle = [](std::uint64_t verbs, std::uint64_t tcp, unsigned nodes, bool shared) {
    return judge({.verbs_sent = verbs, .tcp_sent = tcp, .shared = shared, .nodes = nodes}).idle;
  };
  for (const bool shared : {false, true}) {
    EXPECT_TRUE(idle(63'999, 512 * kB, 2, shared));
    EXPECT_FALSE(idle(64'000, 0, 2, shared));
    EXPECT_FALSE(idle(0, 512 * kB + 1, 2, shared));
    EXPECT_TRUE(idle(63'999, 40 * GB, 1, shared)) << "files";
    EXPECT_FALSE(idle(64'000, 0, 1, shared));
  }
}

TEST(Judge, CountersThatOthersMovedTellNothing) {
  EXPECT_EQ(judge({.verbs_sent = 1 * GB, .shared = true, .nodes = 2}).verdict, Verdict::unknown);
}

TEST(Judge, NamesWhoMayHaveMovedThem) {
  const std::string who = "pid 4711 (ib_write_bw) had queue pairs on mlx5_0:1";
  const auto told = [&](Traffic traffic) {
    traffic.others = who;
    const Judgement judgement = judge(traffic);
    return std::string(verdict_name(judgement.verdict)) + ": " + judgement.reason;
  };
  const std::string unknown = "unknown: 1.0 GB by verbs, 0 B by TCP, but " + who + " meanwhile";
  EXPECT_EQ(told({.verbs_sent = 1 * GB, .nodes = 2}), unknown);
  EXPECT_EQ(told({.verbs_sent = 1 * GB, .nodes = 1}), unknown);
  EXPECT_EQ(told({.verbs_sent = 1 * GB, .shared = true, .nodes = 2}), unknown);
  // Where nothing went by verbs, a stranger has moved nothing either; TCP may be another step's.
  EXPECT_EQ(told({.verbs_sent = 63'999, .tcp_sent = 1 * GB, .nodes = 2}),
            "not native: 64.0 kB by verbs, 1.0 GB by TCP");
  EXPECT_EQ(told({.verbs_sent = 63'999, .nodes = 1}),
            "shm-only: one node, nothing by the HCA (64.0 kB by verbs, 0 B by TCP)");
  EXPECT_EQ(told({.tcp_sent = 1 * GB, .shared = true, .nodes = 2}),
            "unknown: 0 B by verbs, 1.0 GB by TCP, but " + who + " meanwhile");
}

TEST(Judge, IpOverTheSamePortIsNotVerbs) {
  const Traffic by_ipoib{.verbs_sent = 801 * MB, .ipoib_sent = 800 * MB, .nodes = 2};
  EXPECT_EQ(judge(by_ipoib).verdict, Verdict::not_native);
  EXPECT_EQ(judge(by_ipoib).reason, "1.0 MB by verbs, 800.0 MB by TCP over IPoIB");
  const Traffic both_ways{.verbs_sent = 400 * MB,
                          .verbs_received = 401 * MB,
                          .tcp_received = 2 * MB,
                          .ipoib_sent = 300 * MB,
                          .ipoib_received = 500 * MB,
                          .nodes = 2};
  EXPECT_EQ(judge(both_ways).reason, "1.0 MB by verbs, 802.0 MB by TCP over IPoIB");
  const Traffic elsewhere{.tcp_sent = 3 * MB, .ipoib_sent = 3 * MB, .nodes = 2};
  EXPECT_EQ(judge(elsewhere).reason, "0 B by verbs, 6.0 MB by TCP") << "no more by IPoIB than by others";
  const Traffic by_verbs{.verbs_sent = 801 * MB, .ipoib_sent = 100 * kB, .nodes = 2};
  EXPECT_EQ(judge(by_verbs).verdict, Verdict::native);
}

TEST(Judge, SaysTheNumbers) {
  EXPECT_EQ(
      judge({.verbs_sent = 400 * MB, .verbs_received = 400 * MB, .tcp_sent = 96 * kB, .nodes = 2}).reason,
      "800.0 MB by verbs, 96.0 kB by TCP");
}

}  // namespace
}  // namespace cib
