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

}  // namespace
}  // namespace cib::test
