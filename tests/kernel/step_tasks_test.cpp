#include "agent/step_tasks.hpp"

#include <gtest/gtest.h>

#include "adapters/linux/seqpacket.hpp"

namespace cib::test {
namespace {

TEST(StepTasks, ATaskThatIsLateToReadGetsItsWholeAnswer) {
  auto [theirs, ours] = make_channel().value();
  StepTasks tasks(1, UniqueFd());
  tasks.set_channel(0, std::move(ours));
  const std::vector<EnvironmentChange> set(60, {"NAME", std::string(wire::longest_value, 'x')});
  tasks.grant(0, set, {"a line", "another"}, true);

  std::vector<wire::Kind> kinds;
  for (;;) {
    const auto frame = receive_frame(theirs.get(), 0);
    ASSERT_TRUE(frame.ok()) << frame.error().message();
    if (frame->size == 0) break;
    kinds.push_back(wire::kind_of(frame->bytes.data(), frame->size).value());
  }
  std::vector<wire::Kind> all(set.size(), wire::Kind::variable);
  all.insert(all.end(), {wire::Kind::line, wire::Kind::line, wire::Kind::grant});
  EXPECT_EQ(kinds, all);
}

TEST(StepTasks, ThoseThatWaitAreAskedForPatienceNowAndThen) {
  const auto told = [](int every_ms) {
    auto [theirs, ours] = make_channel().value();
    StepTasks tasks(2, UniqueFd(), every_ms);
    tasks.set_channel(1, std::move(ours));
    for (int often = 0; often < 3; ++often)
      tasks.ask_for_patience([] { return std::vector<unsigned>{0, 1}; });  // 0 has no channel any more
    tasks.decline(1, "done");
    unsigned patience = 0;
    for (;;) {
      const auto frame = receive_frame(theirs.get(), 0);
      if (!frame || !wire::read_frame<wire::Patience>(frame->bytes.data(), frame->size)) return patience;
      ++patience;
    }
  };
  EXPECT_EQ(told(0), 3U);
  EXPECT_EQ(told(patience_ms), 0U);
}

}  // namespace
}  // namespace cib::test
