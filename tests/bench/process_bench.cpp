// `container-ib plan` as a whole process against hwloc-ls on the same XML. They run in turn, so that whatever
// else the machine does slows both; the ratio is that of the least disturbed runs.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "support/machines.hpp"

namespace cib {
namespace {

using Seconds = std::chrono::duration<double>;

// Runs a program with its output thrown away; its duration, or a negative one when it did not run.
double run(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const auto begin = std::chrono::steady_clock::now();
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  int status = -1;
  if (failed == 0) ::waitpid(pid, &status, 0);
  const Seconds took = std::chrono::steady_clock::now() - begin;
  ::posix_spawn_file_actions_destroy(&actions);
  return status == 0 ? took.count() : -1;
}

// The run that was disturbed least.
double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

void compare(benchmark::State& state, const std::string& file) {
  if (!test::exists(file)) return state.SkipWithError(("no " + file).c_str());
  std::vector<double> ours, theirs;
  for (auto _ : state) {
    theirs.push_back(run({CIB_HWLOC_LS, "-i", file}));
    ours.push_back(run({CIB_PROGRAM, "plan", "--topology", file, "--tasks", "8"}));
    if (ours.back() < 0 || theirs.back() < 0) return state.SkipWithError("a program did not run");
    state.SetIterationTime(ours.back());
  }
  state.counters["hwloc_ls_ms"] = 1e3 * least(theirs);
  state.counters["plan_ms"] = 1e3 * least(ours);
  state.counters["ratio"] = least(ours) / least(theirs);
}

void settings(benchmark::internal::Benchmark* bench) {
  bench->UseManualTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(compare, SixteenCores, CIB_SOURCE_DIR "/tests/fixtures/nodes/eight-rails.xml")
    ->Apply(settings);
// 256 PUs.
BENCHMARK_CAPTURE(compare, LargeMachine, test::machine_file("ParaStation-psmgmt/topo.jrc0323.xml"))
    ->Apply(settings);

}  // namespace
}  // namespace cib
