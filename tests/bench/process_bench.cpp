// `container-ib plan` as a whole process against hwloc-ls on the same XML. They run in turn, so that whatever
// else the machine does slows both; the ratio is that of the least disturbed runs.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "bench/run_program.hpp"
#include "support/machines.hpp"
#include "support/paths.hpp"

namespace cib {
namespace {

// The run that was disturbed least.
double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

void compare(benchmark::State& state, const std::string& file) {
  if (!test::exists(file)) return state.SkipWithError(("no " + file).c_str());
  std::vector<double> ours, theirs;
  for (auto _ : state) {
    theirs.push_back(run_program({CIB_HWLOC_LS, "-i", file}));
    ours.push_back(run_program({test::program_file(), "plan", "--topology", file, "--tasks", "8"}));
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

BENCHMARK_CAPTURE(compare, SixteenCores, test::in_checkout("tests/fixtures/nodes/eight-rails.xml"))
    ->Apply(settings);
// 256 PUs.
BENCHMARK_CAPTURE(compare, LargeMachine, test::machine_file("ParaStation-psmgmt/topo.jrc0323.xml"))
    ->Apply(settings);

}  // namespace
}  // namespace cib
