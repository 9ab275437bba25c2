#include "container_ib/inventory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstring>
#include <fstream>
#include <set>

#include "adapters/hwloc/pci_driver.hpp"
#include "adapters/hwloc/topology.hpp"
#include "container_ib/placement.hpp"
#include "support/machines.hpp"
#include "support/paths.hpp"
#include "support/temp_tree.hpp"

namespace cib {
namespace {

using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Inventory fixture(const std::string& name) {
  auto node = test::load_xml(test::in_checkout("tests/fixtures/nodes/" + name + ".xml"));
  EXPECT_TRUE(node.ok()) << (node.ok() ? "" : node.error().message());
  return node.ok() ? *node : Inventory{};
}

const Port& port_of(const Inventory& node, const std::string& device) {
  static const Port none;
  for (const auto& port : node.ports)
    if (port.device == device) return port;
  ADD_FAILURE() << "no " << device;
  return none;
}

TEST(Inventory, ReadsStructureAndDevices) {
  const Inventory node = fixture("two-sockets");
  ASSERT_EQ(node.numa_nodes.size(), 2U);
  EXPECT_EQ(node.numa_nodes[1].os_index, 1U);
  EXPECT_EQ(node.numa_nodes[1].package, 1U);
  EXPECT_EQ(node.numa_nodes[1].cpus.hex(), "0xc");
  EXPECT_EQ(node.distances, (std::vector<std::vector<unsigned>>{{10, 21}, {21, 10}}));
  EXPECT_EQ(node.cores.size(), 4U);
  const Port& port = port_of(node, "mlx5_1");
  EXPECT_EQ(port.pci->text(), "0000:86:00.0");
  EXPECT_EQ(port.driver, "mlx5_core") << "by vendor and device number";
  EXPECT_THAT(port.numa, ElementsAre(1U));
  EXPECT_THAT(port.pci_path, ElementsAre("host 0:133", "0000:85:00.0"));
  EXPECT_EQ(port.state, PortState::active);
  EXPECT_EQ(port.link_layer, LinkLayer::infiniband);
  EXPECT_EQ(port.node_guid, 0x0002c90300000020U);
  EXPECT_EQ(port.subnet_prefix, 0xfe80000000000000U);
  EXPECT_NEAR(port.pci_gbps, 126, 0.1);
  EXPECT_EQ(port.rate_gbps, 0) << "hwloc does not know it";
}

TEST(Inventory, KeepsNumaNodesApartWithinAPackage) {
  const Inventory node = fixture("nps4");
  ASSERT_EQ(node.numa_nodes.size(), 8U);
  EXPECT_THAT(port_of(node, "mlx5_1").numa, ElementsAre(1U));
  EXPECT_THAT(port_of(node, "mlx5_2").numa, ElementsAre(7U));
}

TEST(Inventory, ADeviceBelowTheMachineHasUnknownLocality) {
  EXPECT_THAT(port_of(fixture("flat-vm"), "mlx5_ib0").numa, IsEmpty());
}

TEST(Inventory, TellsEthernetByTheMissingLid) {
  const Inventory node = fixture("decoys");
  EXPECT_EQ(port_of(node, "mlx5_0").link_layer, LinkLayer::ethernet);
  EXPECT_EQ(port_of(node, "mlx5_1").link_layer, LinkLayer::unknown) << "down: nobody knows";
  EXPECT_EQ(port_of(node, "hfi1_0").driver, "hfi1");
}

TEST(Inventory, FindsGpusBehindTheirSwitches) {
  const Inventory node = fixture("eight-rails");
  ASSERT_EQ(node.gpus.size(), 8U);
  EXPECT_EQ(node.gpus[0].pci_path.size(), 4U);
  EXPECT_THAT(node.gpus[7].numa, ElementsAre(1U));
}

// Eight GPUs, the last of which are made into something else.
std::size_t gpus_with(const std::string& something, unsigned how_many = 1) {
  std::ifstream stream(test::in_checkout("tests/fixtures/nodes/eight-rails.xml"));
  std::string text((std::istreambuf_iterator<char>(stream)), {});
  const std::string gpu = "0302 [10de:2330]";
  for (; how_many > 0; --how_many) text.replace(text.rfind(gpu), gpu.size(), something);
  const test::TempTree tree;
  tree.file("node.xml", text);
  const auto node = test::load_xml(tree.path("node.xml"));
  EXPECT_TRUE(node.ok());
  return node ? node->gpus.size() : 0;
}

TEST(Inventory, OnlyWhatItsLibraryNumbersIsAGpu) {
  EXPECT_EQ(gpus_with("0300 [10de:2330]"), 8U) << "CUDA numbers NVIDIA's, whatever they draw";
  for (const char* console : {"0300 [19e5:1711]", "0300 [1a03:2000]", "0300 [102b:0538]", "0300 [1002:515e]",
                              "0300 [8086:56a0]", "1200 [1da3:1020]", "0380 [1002:740f]"})
    EXPECT_EQ(gpus_with(console), 7U) << console << " beside NVIDIA's";
  EXPECT_EQ(gpus_with("0380 [1002:740f]", 8), 8U) << "AMD's alone";
  EXPECT_EQ(gpus_with("0300 [1002:66a1]", 8), 8U) << "some of AMD's accelerators are VGAs";
  EXPECT_EQ(gpus_with("0300 [1002:515e]", 8), 0U) << "and some only draw the console";
  EXPECT_EQ(gpus_with("0380 [8086:0bd5]", 8), 8U);
  EXPECT_EQ(gpus_with("0300 [1a03:2000]", 8), 0U);
}

TEST(Inventory, HwlocsXmlIsNoneForNccl) {
  const auto node = load_inventory({.kind = InventorySource::Kind::xml,
                                    .path = test::in_checkout("tests/fixtures/nodes/decoys.xml"),
                                    .nccl_only = true});
  ASSERT_FALSE(node.ok());
  EXPECT_EQ(node.error().code, Errc::unsupported);
}

TEST(Inventory, SysfsAddsWhatTheXmlLacks) {
  const auto node = load_inventory({.kind = InventorySource::Kind::xml,
                                    .path = test::in_checkout("tests/fixtures/nodes/decoys.xml"),
                                    .sysfs = test::in_checkout("tests/fixtures/nodes/decoys.sysfs")});
  ASSERT_TRUE(node.ok()) << node.error().message();
  EXPECT_EQ(port_of(*node, "mlx5_3").rate_gbps, 25);
  EXPECT_EQ(port_of(*node, "mlx5_3").pci->text(), "0000:a0:00.0") << "the XML's";
  EXPECT_EQ(port_of(*node, "mlx5_1").phys_state, PhysState::disabled);
}

TEST(Inventory, GuessesDriversFromOtherMachinesFiles) {
  EXPECT_EQ(guess_driver(0x15b3, 0x1003, "x"), "mlx4_core");
  EXPECT_EQ(guess_driver(0x15b3, 0x673c, "x"), "mlx4_core");
  EXPECT_EQ(guess_driver(0x15b3, 0x1021, "ibp1s0"), "mlx5_core");
  EXPECT_EQ(guess_driver(0x15b3, 0xa2dc, "x"), "mlx5_core");
  EXPECT_EQ(guess_driver(0x15b3, 0x5a44, "mthca0"), "");
  EXPECT_EQ(guess_driver(0x8086, 0x24f0, "opap1s0"), "hfi1");
  EXPECT_EQ(guess_driver(0x1d0f, 0xefa0, "rdmap197s0"), "efa");
  EXPECT_EQ(guess_driver(0x8086, 0x1592, "mlx5_0"), "") << "the numbers say more than the name";
  EXPECT_EQ(guess_driver(0, 0, "mlx5_0"), "mlx5_core");
  EXPECT_EQ(guess_driver(0, 0, "ibp1s0"), "");
}

TEST(Inventory, AnUnreadableTopologyIsAnError) {
  const test::TempTree tree;
  tree.file("empty.xml", "");
  tree.file("torn.xml", "<?xml version=\"1.0\"?><topology version=\"2.0\"><object type=\"Machine\"");
  for (const char* name : {"missing.xml", "empty.xml", "torn.xml"}) {
    const auto node = test::load_xml(tree.path(name));
    ASSERT_FALSE(node.ok()) << name;
    EXPECT_THAT(node.error().what, HasSubstr(name));
  }
}

// What hwloc says on stderr while it loads this machine with its components told about.
std::string components_of_a_load() {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::setenv("HWLOC_COMPONENTS_VERBOSE", "1", 1);
    ::setenv("HWLOC_PLUGINS_VERBOSE", "1", 1);
    ::setenv("HWLOC_COMPONENTS", "x86,opencl,cuda,nvml,gl", 1);  // as a user's environment could say
    ::_exit(load_topology({}).ok() ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = -1;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  return text;
}

TEST(Inventory, RunsNeitherGpuBackendsNorTheOneThatBindsItsCaller) {
  const std::string said = components_of_a_load();
  ASSERT_THAT(said, HasSubstr("Enabling")) << "hwloc told nothing";
  EXPECT_THAT(said, HasSubstr("linux"));
  for (const std::string name : {"x86", "cuda", "nvml", "opencl", "rsmi", "levelzero", "gl"}) {
    EXPECT_THAT(said, Not(ContainsRegex("Enabling [^\n]*component `" + name + "'"))) << name;
    EXPECT_THAT(said, Not(ContainsRegex("Plugin dlopen[^\n]*hwloc_" + name + "\\."))) << name;
  }
}

// Every text that is almost a topology ends soon: as an error or as a node without a port that may not be
// used.
TEST(Inventory, NonsenseInXmlEndsSoonAndChoosesNothingIneligible) {
  std::ifstream stream(test::in_checkout("tests/fixtures/nodes/decoys.xml"));
  const std::string whole((std::istreambuf_iterator<char>(stream)), {});
  const test::TempTree tree;
  const auto expect_harmless = [&](const std::string& text, const std::string& what) {
    tree.file("node.xml", text);
    const auto node = test::load_xml(tree.path("node.xml"));
    if (!node) return;
    std::vector<LocalTask> tasks(2);
    for (unsigned i = 0; i < 2; ++i) {
      tasks[i].id = i;
      tasks[i].mask.add(i);
    }
    const auto assignment = place(*node, tasks, {});
    std::set<std::size_t> eligible;
    for (const auto& verdict : assignment.verdicts)
      if (verdict.eligible) eligible.insert(verdict.port);
    for (const auto& task : assignment.tasks)
      for (const std::size_t port : task.ports) {
        EXPECT_TRUE(eligible.contains(port)) << what;
        EXPECT_EQ(node->ports[port].state, PortState::active) << what;
        EXPECT_EQ(node->ports[port].link_layer, LinkLayer::infiniband) << what;
      }
  };
  for (std::size_t length = 0; length < whole.size(); length += whole.size() / 64)
    expect_harmless(whole.substr(0, length), "cut at " + std::to_string(length));
  for (const std::string wrong :
       {"-1", "", "18446744073709551616", "99999999", "\xff\xfe", "0xfffffffff", "a,b"})
    for (const std::string key : {"os_index", "nodeset", "cpuset", "complete_nodeset", "pci_busid", "name",
                                  "osdev_type", "gp_index", "bridge_pci", "value", "depth"}) {
      std::string text = whole;
      const std::string before = " " + key + "=\"";
      for (std::size_t at = 0; (at = text.find(before, at)) != std::string::npos; ++at) {
        const std::size_t from = at + before.size();
        text.replace(from, text.find('"', from) - from, wrong);
      }
      expect_harmless(text, key + "=" + wrong);
    }
}

TEST(Inventory, TenThousandDevicesInXmlEndSoon) {
  std::ifstream stream(test::in_checkout("tests/fixtures/nodes/two-sockets.xml"));
  std::string text((std::istreambuf_iterator<char>(stream)), {});
  const std::size_t begin = text.find("<object type=\"OSDev\""), end = text.find("</object>", begin) + 9;
  const std::string device = text.substr(begin, end - begin);
  std::string many;
  for (int i = 0; i < 10000; ++i) {
    std::string one = device;
    one.replace(one.find("mlx5_0"), 6, "mlx5_" + std::to_string(100 + i));
    const std::size_t gp = one.find("gp_index=\"") + 10;
    one.replace(gp, one.find('"', gp) - gp, std::to_string(1000 + i));
    many += one + "\n";
  }
  text.insert(begin, many);
  const test::TempTree tree;
  tree.file("node.xml", text);
  const auto node = test::load_xml(tree.path("node.xml"));
  ASSERT_TRUE(node.ok()) << node.error().message();
  EXPECT_EQ(node->ports.size(), 10002U);
  EXPECT_FALSE(place(*node, std::vector<LocalTask>(1), {}).tasks[0].ports.empty());
}

TEST(Inventory, ThisMachineIsReadWithoutBindingTheCaller) {
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const auto node = load_inventory({});
  ASSERT_TRUE(node.ok()) << node.error().message();
  EXPECT_FALSE(node->numa_nodes.empty());
  EXPECT_FALSE(node->cores.empty());
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_EQ(std::memcmp(&before, &after, sizeof before), 0);
  for (const char* name : {"HWLOC_FSROOT", "HWLOC_PLUGINS_BLACKLIST", "HWLOC_HIDE_ERRORS"})
    EXPECT_EQ(std::getenv(name), nullptr) << name;
}

}  // namespace
}  // namespace cib
