#include "app/phases.hpp"

#include <gtest/gtest.h>

#include "app/step_fixture.hpp"

namespace cib::test {
namespace {

using namespace std::chrono_literals;

TEST(Phases, EachBeginsWhereTheOneBeforeEnded) {
  const Phases::Clock::time_point begin{10s};
  Phases phases(begin);
  EXPECT_EQ(phases.line(), "");
  phases.end("start", begin + 3100us);
  phases.end("inventory", begin + 3600us);
  phases.end("tasks", begin + 1s);
  EXPECT_EQ(phases.line(), "start 3.1 ms, inventory 0.5 ms, tasks 996.4 ms");
}

TEST(Phases, OfAStepAreTheStoryOfItsAttachment) {
  FakeNode node(four_tasks);
  Step step(facts(), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  std::string names = step.timing();
  std::erase_if(names, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
  EXPECT_EQ(names, "step : start  ms, inventory  ms, tasks  ms, placement  ms, attach  ms, answer  ms");
}

}  // namespace
}  // namespace cib::test
