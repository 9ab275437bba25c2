// The program's own output on the project's fixtures, byte by byte. After a wanted change:
// CIB_UPDATE_GOLDEN=1 ctest -L golden, and read the diff.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "support/output_of.hpp"
#include "support/paths.hpp"

namespace cib {
namespace {

struct Case {
  const char* name;
  const char* arguments;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::string run(const std::string& arguments) {
  const std::string command = "unset COLUMNS HWLOC_FSROOT CONTAINER_IB_PORTS PMIX_VERSION; cd " +
                              test::in_checkout("tests/fixtures/nodes") + " && " + test::program_file() +
                              " " + arguments;
  return test::output_of(command) + "\n";
}

// CLI11 lays a help out anew with some releases, and has other words of its own around ours. What is compared
// are the words in their order, and those of its own as 2.1 has them, which 2.6 has otherwise.
std::string as_words(const std::string& text) {
  std::istringstream stream(text);
  std::string words;
  for (std::string word; stream >> word;) words += word + " ";
  const std::array<std::pair<std::string_view, std::string_view>, 6> otherwise = {{
      {" container-ib plan [OPTIONS] ", " Usage: container-ib plan [OPTIONS] "},
      {" container-ib [OPTIONS] ", " Usage: container-ib [OPTIONS] "},
      {" SUBCOMMANDS: ", " Subcommands: "},
      {" -h, --help ", " -h,--help "},
      {" [block] ", "=block "},
      {" options are required] ", " options is required] "},
  }};
  for (const auto& [new_way, old_way] : otherwise)
    if (const auto at = words.find(new_way);
        at != std::string::npos && words.find(old_way) == std::string::npos)
      words.replace(at, new_way.size(), old_way);
  for (std::size_t at = 0; (at = words.find(" OPTIONS: ", at)) != std::string::npos;)
    words.replace(at, 10, " Options: ");
  std::replace(words.begin(), words.end(), ' ', '\n');  // for a readable difference
  return words;
}

class Output : public testing::TestWithParam<Case> {};

TEST_P(Output, IsAsExpected) {
  const std::string file = test::in_checkout("tests/golden/expected/") + GetParam().name + ".txt";
  const std::string actual =
      "$ container-ib " + std::string(GetParam().arguments) + "\n" + run(GetParam().arguments);
  if (std::getenv("CIB_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(file) << actual;
    GTEST_SKIP() << "wrote " << file;
  }
  std::ifstream stream(file);
  std::ostringstream expected;
  expected << stream.rdbuf();
  if (std::string_view(GetParam().name).ends_with("help"))
    EXPECT_EQ(as_words(actual), as_words(expected.str()));
  else
    EXPECT_EQ(actual, expected.str());
}

INSTANTIATE_TEST_SUITE_P(
    Plans, Output,
    testing::Values(
        Case{"two-sockets", "plan --topology two-sockets.xml --masks 0x3,0xc"},
        Case{"two-sockets-json", "plan --topology two-sockets.xml --masks 0x3,0xc --json"},
        Case{"two-sockets-require", "plan --topology two-sockets.xml --tasks 1 --option verbs --json"},
        Case{"nps4-cyclic", "plan --topology nps4.xml --tasks 8 --distribution cyclic"},
        Case{"two-sockets-svg",
             "plan --topology two-sockets.xml --masks 0x3,0xc --compare --svg /dev/fd/3 3>&1 >/dev/null"},
        Case{"two-sockets-compare-json", "plan --topology two-sockets.xml --tasks 1 --compare --json"},
        Case{"nps4-pack-compare", "plan --topology nps4.xml --tasks 8 --distribution pack --compare"},
        Case{"nps4-pack", "plan --topology nps4.xml --tasks 8 --distribution pack"},
        Case{"dual-port", "plan --topology dual-port.xml --tasks 9"},
        Case{"dual-port-sysfs", "plan --topology dual-port.xml --sysfs dual-port.sysfs --tasks 9"},
        Case{"socket-direct", "plan --topology socket-direct.xml --tasks 4"},
        Case{"eight-rails", "plan --topology eight-rails.xml --tasks 8"},
        Case{"eight-rails-two", "plan --topology eight-rails.xml --tasks 4"},
        Case{"eight-rails-gpus",
             "plan --topology eight-rails.xml --tasks 2 --gpus 0:0000:83:00.0,1:0000:b3:00.0 --option "
             "auto,rails=1"},
        Case{"flat-vm", "plan --topology flat-vm.xml --tasks 4"},
        Case{"decoys-topo", "topo --topology decoys.xml --sysfs decoys.sysfs"},
        Case{"decoys-topo-json", "topo --topology two-sockets.xml --json"},
        Case{"decoys-roce",
             "plan --topology decoys.xml --sysfs decoys.sysfs --tasks 2 --option auto,roce=yes,hca=mlx5_0"},
        Case{"nothing-eligible", "plan --topology decoys.xml --tasks 2 --option auto,hca=mlx5_1 --json"},
        Case{"mode-of-another-version", "plan --topology two-sockets.xml --tasks 1 --option ovs,rails=2"},
        Case{"site-rules", "plan --topology two-sockets.xml --tasks 1 --config site.conf --node n1"},
        Case{"site-refuses", "plan --topology two-sockets.xml --tasks 1 --config site.conf --option vf"},
        Case{"bad-option", "plan --topology two-sockets.xml --tasks 1 --option verbs,rail=2"},
        Case{"no-tasks", "plan --topology two-sockets.xml"},
        Case{"bad-distribution", "plan --topology two-sockets.xml --tasks 1 --distribution random"},
        Case{"config-fine", "check-config ../../../etc/container-ib.conf"},
        Case{"config-broken", "check-config broken.conf"}, Case{"config-never", "check-config never.conf"},
        Case{"config-never-json", "check-config never.conf --json"},
        Case{"config-missing", "check-config missing.conf --json"},
        Case{"check-nothing", "check --state /nowhere"},
        Case{"check-nothing-json", "check --state /nowhere --json"},
        Case{"check-unknown-step", "check 17.0 --state /nowhere"},
        Case{"image-complete", "doctor --image=../images/complete --sysfs dual-port.sysfs"},
        Case{"image-lacking", "doctor --image=../images/lacking --sysfs dual-port.sysfs"},
        Case{"image-lacking-json", "doctor --image ../images/lacking --sysfs dual-port.sysfs --json"},
        Case{"image-lacking-nhc", "doctor --image ../images/lacking --sysfs dual-port.sysfs --nhc"},
        Case{"image-complete-nhc", "doctor --image=../images/complete --sysfs dual-port.sysfs --nhc"},
        Case{"image-musl", "doctor --image=../images/alpine --sysfs dual-port.sysfs"},
        Case{"image-missing", "doctor --image=../images/missing --sysfs dual-port.sysfs"},
        Case{"image-and-node", "doctor --image=../images/complete --state /nowhere"},
        Case{"cdi", "cdi --topology dual-port.xml --sysfs dual-port.sysfs"},
        Case{"cdi-of-a-task",
             "cdi --topology dual-port.xml --sysfs dual-port.sysfs --ports mlx5_2:1,mlx5_0:1 --option "
             "verbs,umad=yes --netdev ib2:ib0"},
        Case{"cdi-unknown-port", "cdi --topology dual-port.xml --sysfs dual-port.sysfs --ports mlx5_2:2"},
        Case{"cdi-other-port", "cdi --topology decoys.xml --sysfs decoys.sysfs --ports mlx5_2:1,mlx5_1:1"},
        Case{"cdi-no-nodes", "cdi --topology decoys.xml --sysfs decoys.sysfs"},
        Case{"cdi-no-port", "cdi --topology dual-port.xml --option verbs,hca=mlx5_9"},
        Case{"cdi-other-mode", "cdi --topology dual-port.xml --option ipoib"},
        Case{"cdi-bad-netdev", "cdi --topology dual-port.xml --netdev ib2"}, Case{"cdi-help", "cdi --help"},
        Case{"oci-help", "oci --help"}, Case{"oci-nothing", "oci"}, Case{"oci-no-runtime", "oci ."},
        Case{"oci-no-bundle", "oci ./nowhere crun run x"},
        Case{"oci-of-another", "oci ../bundles/of-another -- echo --hook --help -- oci"},
        Case{"oci-status", "oci ../bundles/of-another sh -c 'exit 7'"},
        Case{"oci-no-program", "oci ../bundles/of-another ./no-such-runtime run x"},
        Case{"oci-broken", "oci ../bundles/broken echo not run"},
        Case{"oci-wrong-type", "oci ../bundles/wrong-type echo not run"},
        Case{"oci-wrong-ports", "oci ../bundles/wrong-ports echo not run"},
        Case{"oci-deep", "oci ../bundles/deep echo not run"},
        Case{"oci-hook-with-bundle", "oci ../bundles/broken --hook < /dev/null"},
        Case{"oci-hook-of-another", "oci --hook < ../bundles/of-another.state"},
        Case{"oci-hook-wrong-type", "oci --hook < ../bundles/wrong-type.state"},
        Case{"oci-hook-without-bundle", "oci --hook < ../bundles/none.state"},
        Case{"oci-no-hook-state", "oci --hook < /dev/null"}, Case{"help", "--help"},
        Case{"plan-help", "plan --help"}));

}  // namespace
}  // namespace cib
