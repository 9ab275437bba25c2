// What `doctor` says is left: nothing that a step still accounts for, whatever happens while it looks.
#include "app/leftovers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_node.hpp"

namespace cib::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Leftovers : testing::Test {
  Leftovers() {
    node.journals["17.0"] = {
        {1, Mark::done, opened_by("boot")},
        {2, Mark::intent, Claim{"address-0", "17.0@2#0"}},
        {3, Mark::intent,
         MakeIpoibChild{.temporary = "cib0123456789ab", .owner = "container-ib:17.0@2:netns-0:ib0"}}};
    now.claims["address-0"] = "17.0@2#0";
  }
  std::vector<std::string> left() {
    const auto lines = leftovers(node, [this] { return Result<Marked>(now); });
    EXPECT_TRUE(lines.ok());
    return lines.ok() ? *lines : std::vector<std::string>();
  }
  void its_owner_dies() { node.agent_alive = node.stepd_alive = false; }
  FakeNode node{1};
  Marked now;
};

TEST_F(Leftovers, WhatALivingStepHasIsNone) {
  now.links = {{"cib0123456789ab", ""}, {"ib7", "container-ib:17.0@2:netns-0:ib0"}};
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(Leftovers, AStepWithoutALivingOwnerIsToldOnceWithAllThatItHas) {
  its_owner_dies();
  EXPECT_THAT(left(), ElementsAre("step 17.0 has no living owner; run 'container-ib reap'"));
}

TEST_F(Leftovers, AQuarantinedStepNamesItsProcess) {
  its_owner_dies();
  node.journals["17.0"].push_back({4, Mark::intent, Quarantined{"pid 9 (stuck)"}});
  EXPECT_THAT(left(), ElementsAre(AllOf(HasSubstr("quarantined: pid 9 (stuck)"), HasSubstr("reap"))));
}

TEST_F(Leftovers, AStepOfAnEarlierBoot) {
  node.journals["17.0"].front().event = opened_by("another");
  EXPECT_THAT(left(), ElementsAre(HasSubstr("earlier boot")));
}

TEST_F(Leftovers, AClaimThatNoJournalHas) {
  now.claims["0000:21:00.1"] = "16.0@1";
  now.claims["address-0"] = "16.0@1#0";
  EXPECT_THAT(left(), ElementsAre(HasSubstr("claim 0000:21:00.1 is that of '16.0@1'"),
                                  HasSubstr("claim address-0 is that of '16.0@1#0'")));
}

TEST_F(Leftovers, AnInterfaceThatNoJournalHas) {
  now.links = {{"cibffffffffffff", ""}, {"ib7", "container-ib:16.0@1:netns-0:ib0"}};
  EXPECT_THAT(left(),
              ElementsAre(HasSubstr("'ip link del cibffffffffffff'"), HasSubstr("'ip link del ib7'")));
}

TEST_F(Leftovers, WhatAStepGivesBackMeanwhileIsNone) {
  now.claims["0000:21:00.1"] = "16.0@1";
  now.links = {{"ib7", "container-ib:16.0@1:netns-0:ib0"}};
  bool first = true;
  const auto lines = leftovers(node, [&] {
    const Result<Marked> seen = std::exchange(first, false) ? now : Marked{};
    return seen;
  });
  ASSERT_TRUE(lines.ok());
  EXPECT_THAT(*lines, IsEmpty());
}

TEST_F(Leftovers, WhatAnotherStepTakesMeanwhileIsNoneAndHidesNothing) {
  Marked later;
  now.claims = {{"0000:21:00.1", "16.0@1"}, {"0000:21:00.2", "16.0@1"}};
  now.links = {{"ib7", "container-ib:16.0@1:netns-0:ib0"}, {"ib8", "container-ib:16.0@1:netns-0:ib1"}};
  later.claims = {{"0000:21:00.1", "18.0@3"}, {"0000:21:00.2", "16.0@1"}};
  later.links = {{"ib7", "container-ib:18.0@3:netns-0:ib0"}, {"ib8", "container-ib:16.0@1:netns-0:ib1"}};
  bool first = true;
  const auto lines =
      leftovers(node, [&] { return Result<Marked>(std::exchange(first, false) ? now : later); });
  ASSERT_TRUE(lines.ok());
  EXPECT_THAT(*lines, ElementsAre(HasSubstr("claim 0000:21:00.2 is"), HasSubstr("'ip link del ib8'")));
}

TEST_F(Leftovers, AJournalThatCannotBeReadMayHaveAnyClaimOfItsStep) {
  node.unreadable["18.0"] = error(Errc::corrupt, "journal line 1: checksum differs");
  now.claims = {{"address-0", "17.0@2#0"}, {"address-1", "18.0@5#1"}, {"address-2", "18.01@5#2"}};
  EXPECT_THAT(left(),
              ElementsAre("step 18.0 journal line 1: checksum differs; look at its journal and remove the "
                          "directory by hand",
                          HasSubstr("claim address-2 is that of '18.01@5#2'")));
}

TEST_F(Leftovers, AClaimIsItsOwnersOnly) {
  now.claims = {{"address-0", "17.0@2#1"}, {"address-1", "17.0@2#0"}};
  EXPECT_THAT(left(), ElementsAre(HasSubstr("claim address-0"), HasSubstr("claim address-1")));
}

}  // namespace
}  // namespace cib::test
