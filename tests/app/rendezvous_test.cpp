// When a node is decided, whatever order its tasks come, die or stay away in.
#include "app/rendezvous.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cib::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Then = Rendezvous::Then;

TEST(Rendezvous, DecidesWithTheLastTaskThatComes) {
  Rendezvous tasks(3);
  EXPECT_EQ(tasks.task_ready(2), Then::nothing);
  EXPECT_TRUE(tasks.awaits_deadline());
  EXPECT_EQ(tasks.task_ready(0), Then::nothing);
  EXPECT_EQ(tasks.task_ready(1), Then::decide);
  EXPECT_THAT(tasks.ready(), ElementsAre(0, 1, 2));
}

TEST(Rendezvous, WaitsForNoDeadTaskAndForNoneThatWillSayNothing) {
  Rendezvous tasks(4);
  EXPECT_EQ(tasks.task_died(3), Then::nothing) << "nobody has come yet";
  EXPECT_EQ(tasks.task_ready(0), Then::nothing);
  EXPECT_EQ(tasks.task_left(1), Then::nothing);
  EXPECT_EQ(tasks.task_died(2), Then::decide);
  EXPECT_THAT(tasks.ready(), ElementsAre(0));
  EXPECT_THAT(tasks.living(), ElementsAre(0));
}

TEST(Rendezvous, WhoIsReadyDoesNotLeave) {
  Rendezvous tasks(2);
  (void)tasks.task_ready(0);
  EXPECT_EQ(tasks.task_left(0), Then::nothing);
  EXPECT_FALSE(tasks.is_dead(0));
}

TEST(Rendezvous, NobodyIsReadyTwiceOrAfterItsDeath) {
  Rendezvous tasks(2);
  (void)tasks.task_ready(0);
  EXPECT_FALSE(tasks.awaits(0));
  EXPECT_EQ(tasks.task_ready(0), Then::nothing);
  (void)tasks.task_died(1);
  EXPECT_EQ(tasks.task_ready(1), Then::nothing);
  EXPECT_THAT(tasks.ready(), ElementsAre(0));
}

TEST(Rendezvous, AfterTheDeadlineEachTaskThatComesIsAnsweredForItself) {
  Rendezvous tasks(2);
  EXPECT_FALSE(tasks.awaits_deadline()) << "nobody has come yet";
  (void)tasks.task_ready(0);
  EXPECT_EQ(tasks.deadline_passed(), Then::decide);
  tasks.decided();
  tasks.answered(0);
  EXPECT_EQ(tasks.deadline_passed(), Then::nothing);
  EXPECT_FALSE(tasks.awaits_deadline());
  EXPECT_THAT(tasks.living(), ElementsAre(0, 1)) << "placed with the others";
  EXPECT_EQ(tasks.task_ready(1), Then::answer_late);
}

TEST(Rendezvous, IsOverWhenAllHaveDied) {
  Rendezvous tasks(2);
  (void)tasks.task_ready(0);
  (void)tasks.task_ready(1);
  tasks.decided();
  EXPECT_EQ(tasks.task_died(0), Then::nothing);
  EXPECT_FALSE(tasks.all_dead());
  EXPECT_EQ(tasks.task_died(1), Then::nothing);
  EXPECT_TRUE(tasks.all_dead());
  EXPECT_THAT(tasks.ready(), IsEmpty());
}

}  // namespace
}  // namespace cib::test
