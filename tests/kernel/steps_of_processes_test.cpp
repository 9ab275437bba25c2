#include "adapters/state/steps_of_processes.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/linux/find_process.hpp"
#include "adapters/linux/process.hpp"
#include "adapters/state/state_dir.hpp"
#include "kernel/scratch.hpp"

namespace cib::test {
namespace {

class StepsByProcess : public Scratch {
 protected:
  std::string state() const { return folder_ + "/state"; }
  // This process is the step's slurmstepd, by the numbers of that PID namespace.
  std::string step_of(pid_t pid, const std::string& pid_namespace) {
    StateDir dir(state());
    Opened by;
    by.stepd = identity_of(::getpid());
    by.pid_namespace = pid_namespace;
    EXPECT_TRUE(dir.create("17.0", {1, Mark::done, by}).ok());
    const auto steps = StepsOfProcesses::read(state());
    EXPECT_TRUE(steps.ok());
    const std::string step = steps ? steps->step_of(pid) : "";
    EXPECT_TRUE(dir.remove().ok());
    return step;
  }
};

TEST_F(StepsByProcess, AProcessIsOfTheStepThatAnAncestorIsOf) {
  const std::string here = pid_namespace_here();
  EXPECT_EQ(step_of(::getpid(), here), "17.0");
  EXPECT_EQ(step_of(::getpid(), ""), "17.0");
  EXPECT_EQ(step_of(::getpid(), "1"), "") << "the number is another process' there";
  EXPECT_EQ(step_of(::getppid(), here), "") << "who started slurmstepd is in no step";

  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(ends[1]);
    (void)!::read(ends[0], &byte, 1);
    ::_exit(0);
  }
  EXPECT_EQ(step_of(child, here), "17.0");
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(step_of(child, here), "") << "it has ended";
}

}  // namespace
}  // namespace cib::test
