// Whether the bytes that went through a port are the step's own.
#include <gmock/gmock.h>

#include <functional>

#include "app/step_fixture.hpp"

namespace cib::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const RdmaUsers nobody;
const RdmaUsers own_tasks{.own = true, .others = {}};

RdmaUsers with(RdmaUser user, bool own = false) { return {.own = own, .others = {std::move(user)}}; }

RdmaUser step_18() { return {"pid 18 (osu_bw)", "18.0", 1001, "had queue pairs on mlx5_0:1"}; }
RdmaUser stranger(std::uint32_t uid = 0) {
  return {"pid 4711 (ib_write_bw)", "", uid, "had queue pairs on mlx5_0:1"};
}
RdmaUser unnamed() { return {"", "", {}, "had mlx5_0 in use"}; }

const std::map<std::string, PortUse> came_and_was_idle{{"18.0", PortUse::idle}};
const std::map<std::string, PortUse> came{{"18.0", PortUse::unsure}};
const std::map<std::string, PortUse> came_and_used_it{{"18.0", PortUse::used}};
const std::vector<Sharer> by_verbs{{"18.0", "verbs"}};

// Who has the ports in use before the tasks run, while they do and after they have ended.
struct Shared {
  const char* what;
  RdmaUsers before, meanwhile, after;
  std::vector<Sharer> sharers_before;
  std::map<std::string, PortUse> sharers_since;
  const char* but;  // empty: the verdict is native
};

struct SharedPortTest : testing::Test {
  FakeNode node{four_tasks};
  std::vector<std::string> run(const Shared& c) {
    node.rdma = c.before;
    node.sharers_before = c.sharers_before;
    Step step(facts("verbs,report=summary"), node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    node.now = {.verbs_sent = 50'000'000, .verbs_received = 50'000'000};
    node.rdma = c.meanwhile;
    node.sharers_since = c.sharers_since;
    step.look_at_ports();
    for (unsigned id = 0; id < four_tasks; ++id) step.task_died(id);
    node.rdma = c.after;
    return step.finish().for_user;
  }
};

std::string line(const std::string& but) {
  const std::string moved = "100.0 MB by verbs, 0 B by TCP";
  return but.empty() ? "n0: native: " + moved : "n0: unknown: " + moved + ", but " + but + " meanwhile";
}

TEST_F(SharedPortTest, IsJudgedByWhoHadItInUse) {
  const char* const by_18 = "step 18.0 had queue pairs on mlx5_0:1";
  const char* const by_4711 = "pid 4711 (ib_write_bw) had queue pairs on mlx5_0:1";
  for (const Shared& c : {
           Shared{"nobody else", nobody, own_tasks, nobody, {}, {}, ""},
           Shared{"a step was there, and idle", nobody, own_tasks, nobody, by_verbs, {}, ""},
           Shared{"a step came, and was idle", nobody, own_tasks, nobody, {}, came_and_was_idle, ""},
           Shared{"it was there, and seen", with(step_18()), own_tasks, nobody, by_verbs, {}, by_18},
           Shared{"seen meanwhile", nobody, with(step_18(), true), nobody, by_verbs, {}, by_18},
           Shared{"seen at the end", nobody, own_tasks, with(step_18()), by_verbs, came_and_was_idle, by_18},
           Shared{"a step without the option", nobody, with(step_18(), true), nobody, {}, {}, by_18},
           Shared{"nobody saw it, it says so itself",
                  nobody,
                  own_tasks,
                  nobody,
                  {},
                  came_and_used_it,
                  "step 18.0 used the same port"},
           Shared{"too short to be seen",
                  nobody,
                  own_tasks,
                  nobody,
                  {},
                  came,
                  "step 18.0 had the same port, and not for long enough to see whether it used it,"},
           Shared{"by IPoIB, whose queue pairs are the kernel's",
                  nobody,
                  own_tasks,
                  nobody,
                  {{"18.0", "ipoib"}},
                  {},
                  "step 18.0 used the same port by ipoib"},
           Shared{"a stranger before", with(stranger()), own_tasks, nobody, {}, {}, by_4711},
           Shared{"a stranger meanwhile", nobody, with(stranger()), nobody, {}, {}, by_4711},
           Shared{"a stranger at the end", nobody, own_tasks, with(stranger()), {}, {}, by_4711},
           Shared{"what a task's engine has started", nobody, with(stranger(1000)), nobody, {}, {}, ""},
           Shared{"the user's own, from before",
                  with(stranger(1000)),
                  with(stranger(1000)),
                  nobody,
                  {},
                  {},
                  by_4711},
           Shared{"unnamed before",
                  with(unnamed()),
                  own_tasks,
                  nobody,
                  {},
                  {},
                  "a process that the kernel does not name had mlx5_0 in use"},
           Shared{"unnamed meanwhile: perhaps a task's thread", nobody, with(unnamed()), nobody, {}, {}, ""},
           Shared{"unnamed meanwhile, and a step came",
                  nobody,
                  with(unnamed()),
                  nobody,
                  {},
                  came_and_was_idle,
                  "a process that the kernel does not name had mlx5_0 in use"},
       }) {
    node = FakeNode(four_tasks);
    EXPECT_THAT(run(c), ElementsAre(line(c.but))) << c.what;
  }
}

TEST_F(SharedPortTest, TheSitesDaemonsOfRootVoidNothing) {
  RdmaUser daemon = stranger(0), user = stranger(1001);
  daemon.process = user.process = "pid 4711 (mmfsd)";
  EXPECT_THAT(run({"a daemon", with(daemon), with(daemon, true), with(daemon), {}, {}, ""}),
              ElementsAre(line("")));
  node = FakeNode(four_tasks);
  EXPECT_THAT(run({"a user's by its name", with(user), own_tasks, nobody, {}, {}, ""}),
              ElementsAre(line("pid 4711 (mmfsd) had queue pairs on mlx5_0:1")));
  node = FakeNode(four_tasks);
  node.site.daemons.clear();
  EXPECT_THAT(run({"where the site has none", with(daemon), own_tasks, nobody, {}, {}, ""}),
              ElementsAre(line("pid 4711 (mmfsd) had queue pairs on mlx5_0:1")));
}

TEST_F(SharedPortTest, NamesAFewAndCountsTheRest) {
  RdmaUsers many;
  for (const char* step : {"21.0", "22.0", "23.0", "24.0", "25.0"})
    many.others.push_back({"pid 1 (a)", step, 1001, "had mlx5_0 in use"});
  EXPECT_THAT(run({"", many, many, many, {}, {}, ""}),
              ElementsAre(line("step 21.0 had mlx5_0 in use, step 22.0 had mlx5_0 in use, "
                               "step 23.0 had mlx5_0 in use, and 2 more did so")));
}

// Where it cannot, it is as good as nobody else's, unless another step is known to be there.
TEST_F(SharedPortTest, WhoseTheKernelCannotTellIsUnknown) {
  node.rdma_error = error(Errc::timed_out, "no answer");
  EXPECT_THAT(run({"", {}, {}, {}, {}, {}, ""}), ElementsAre(line("")));
  for (const auto& sharers : {by_verbs, std::vector<Sharer>()}) {
    node = FakeNode(four_tasks);
    node.rdma_error = error(Errc::timed_out, "no answer");
    EXPECT_THAT(run({"", {}, {}, {}, sharers, came_and_was_idle, ""}),
                ElementsAre(line("step 18.0 had the same port (no answer)")));
  }
}

TEST_F(SharedPortTest, TheStepSaysOfItselfWhatItDid) {
  const auto last_word = [&](const RdmaUsers& meanwhile, std::uint64_t bytes, bool looks) {
    node = FakeNode(four_tasks);
    Step step(facts(), node, node, node, node);
    fork_tasks(step);
    release_tasks(step);
    EXPECT_THAT(node.told, IsEmpty()) << "before anybody has looked";
    node.now.verbs_sent = bytes;
    node.rdma = meanwhile;
    if (looks) step.look_at_ports();
    node.rdma = nobody;
    if (looks) step.look_at_ports();
    for (unsigned id = 0; id < four_tasks; ++id) step.task_died(id);
    step.look_at_ports();
    (void)step.finish();
    return node.told.empty() ? PortUse::unsure : node.told.back();
  };
  EXPECT_EQ(last_word(own_tasks, 1'000'000, true), PortUse::used) << "and no more later";
  EXPECT_EQ(last_word(nobody, 1'000'000, true), PortUse::idle);
  EXPECT_EQ(last_word(nobody, 1'000'000, false), PortUse::unsure) << "it was too short";
  EXPECT_EQ(last_word(nobody, 1'000, false), PortUse::idle) << "and moved nothing";
}

TEST_F(SharedPortTest, AStepInNetworksOfItsOwnUsesItByTheKernel) {
  node.site.modes = all_modes();
  Step step(facts("ipoib"), node, node, node, node);
  fork_tasks(step);
  release_tasks(step);
  ASSERT_EQ(node.task(0).answer, "granted");
  EXPECT_THAT(node.told, ElementsAre(PortUse::used));
}

}  // namespace
}  // namespace cib::test
