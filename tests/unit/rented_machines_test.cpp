// Machines that people rent or own: the ports that somebody there would choose, for a task with all GPUs, for
// a task a GPU, and for tasks without. Each is made here from what its vendor says of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "adapters/nccl/nccl_topology.hpp"
#include "container_ib/placement.hpp"
#include "container_ib/proposal.hpp"
#include "support/node_builder.hpp"

namespace cib {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;

using Names = std::vector<std::string>;
using Path = std::vector<std::string>;

// ---- making them
// -----------------------------------------------------------------------------------------------

Inventory cpus_of(unsigned numa_nodes, unsigned cores_of_each, unsigned nodes_per_package) {
  return test::numa_node(numa_nodes / nodes_per_package, nodes_per_package, cores_of_each, 32);
}

PciAddress pci_of(unsigned domain, unsigned bus, unsigned function = 0) {
  return {domain, static_cast<std::uint8_t>(bus), 0, static_cast<std::uint8_t>(function)};
}

Port& add_hca(Inventory& node, const std::string& name, PciAddress pci, std::vector<unsigned> numa, Path path,
              double rate) {
  Port port = test::port(name, "0000:00:00.0", std::move(numa));
  port.pci = pci;
  port.pci_path = std::move(path);
  port.rate_gbps = rate;
  port.lid = 0x20 + static_cast<std::uint32_t>(node.ports.size());
  node.ports.push_back(std::move(port));
  return node.ports.back();
}

Port& add_ethernet(Inventory& node, const std::string& name, PciAddress pci, std::vector<unsigned> numa,
                   Path path, double rate) {
  Port& port = add_hca(node, name, pci, std::move(numa), std::move(path), rate);
  port.link_layer = LinkLayer::ethernet;
  port.lid = 0;
  port.subnet_prefix.reset();
  return port;
}

void add_gpu(Inventory& node, PciAddress pci, std::vector<unsigned> numa, Path path) {
  node.gpus.push_back({pci, std::move(numa), std::move(path), "", ""});
}

// Below one switch with others of the same number: host bridge, root port, the switch, its port.
Path behind_switch(unsigned number, const std::string& device) {
  const std::string text = std::to_string(number);
  return {"host " + text, "root port " + text, "switch " + text, "to " + device};
}

Path behind_root_port(const std::string& device) { return {"host of " + device, "root port of " + device}; }

// ---- asking
// ----------------------------------------------------------------------------------------------------

PlacementOptions asked(const std::string& option, const SiteConfig& site = {},
                       const std::string& node = "n1") {
  return placement_options(resolve(parse_request(option).value(), site).value(), site, node);
}

LocalTask everywhere(const Inventory& node, unsigned id) {
  LocalTask task;
  task.id = id;
  for (const NumaNode& numa : node.numa_nodes)
    for (const unsigned cpu : numa.cpus.list()) task.mask.add(cpu);
  return task;
}

// One task that has all GPUs and may run on all CPUs.
std::vector<LocalTask> one_for_all(const Inventory& node) {
  LocalTask task = everywhere(node, 0);
  for (const Gpu& gpu : node.gpus) task.gpus.push_back(gpu.pci);
  return {task};
}

// A task a GPU, with its share of the cores in turn.
std::vector<LocalTask> one_a_gpu(const Inventory& node) {
  std::vector<LocalTask> tasks;
  const std::size_t share = node.cores.size() / node.gpus.size();
  for (unsigned id = 0; id < node.gpus.size(); ++id) {
    tasks.push_back({id, {}, {node.gpus[id].pci}, {}, true});
    for (std::size_t core = id * share; core < (id + 1) * share; ++core)
      for (const unsigned cpu : node.cores[core].list()) tasks.back().mask.add(cpu);
  }
  return tasks;
}

// Without GPUs, each on a core of its own, in equal distances.
std::vector<LocalTask> without_gpus(const Inventory& node, unsigned count) {
  std::vector<LocalTask> tasks;
  for (unsigned id = 0; id < count; ++id) {
    tasks.emplace_back();
    tasks.back().id = id;
    tasks.back().mask = node.cores[id * node.cores.size() / count];
  }
  return tasks;
}

// Ports of each task, by their devices' names, sorted.
std::vector<Names> devices(const Inventory& node, const std::vector<LocalTask>& tasks,
                           const PlacementOptions& options) {
  std::vector<Names> all;
  for (const TaskPlacement& placed : place(node, tasks, options).tasks) {
    all.emplace_back();
    for (const std::size_t port : placed.ports) all.back().push_back(node.ports[port].device);
    std::sort(all.back().begin(), all.back().end());
  }
  return all;
}

Names sorted(Names names) {
  std::sort(names.begin(), names.end());
  return names;
}

Names numbered(const std::string& prefix, const std::vector<unsigned>& numbers) {
  Names names;
  for (const unsigned number : numbers) names.push_back(prefix + std::to_string(number));
  return names;
}

std::set<std::string> used(const std::vector<Names>& tasks) {
  std::set<std::string> all;
  for (const Names& names : tasks) all.insert(names.begin(), names.end());
  return all;
}

// Each task has one port, of those, and all of them are used alike.
void expect_shared(const Inventory& node, unsigned tasks, const PlacementOptions& options,
                   const Names& ports) {
  std::map<std::string, unsigned> load;
  for (const Names& names : devices(node, without_gpus(node, tasks), options)) {
    ASSERT_THAT(names, SizeIs(1)) << tasks;
    ++load[names[0]];
  }
  EXPECT_EQ(load.size(), ports.size());
  for (const std::string& port : ports) EXPECT_EQ(load[port], tasks / ports.size()) << port;
}

// The site has the entry that is proposed.
PlacementOptions with_proposal(const Inventory& node, const std::string& option, SiteConfig site = {}) {
  const auto options = asked(option, site);
  const auto proposal = propose_node_rule(node, options, place(node, {}, options), "n1");
  EXPECT_TRUE(proposal.has_value());
  if (!proposal) return options;
  site = parse_config(proposal->toml(), "conf").value();
  const auto ruled = asked(option, site);
  EXPECT_FALSE(propose_node_rule(node, ruled, place(node, {}, ruled), "n1")) << "the site has said it now";
  return ruled;
}

// ---- Azure ND H100 v5: eight VFs without their PFs, each in a PCI domain of its own, as the GPUs are; an
// accelerated Ethernet device; which belongs to which only the file says that the cloud ships

Inventory nd_h100_v5() {
  Inventory node = cpus_of(2, 48, 1);
  for (unsigned i = 0; i < 8; ++i) {
    add_gpu(node, pci_of(1 + i, 0), {}, {"host " + std::to_string(1 + i)});
    add_hca(node, "mlx5_ib" + std::to_string(i), pci_of(0x101 + i, 0), {},
            {"host " + std::to_string(0x101 + i)}, 400);
  }
  add_ethernet(node, "mlx5_an0", pci_of(0xc0de, 0), {}, {"host 49374"}, 100);
  return node;
}

std::string nd_h100_v5_file() {
  std::string text = "<system version=\"1\">\n";
  for (unsigned i = 0; i < 8; ++i) {
    const std::string number = std::to_string(i), next = std::to_string(i + 1);
    text += "<cpu numaid=\"" + std::to_string(i / 4) +
            "\" affinity=\"\" arch=\"x86_64\" vendor=\"GenuineIntel\" familyid=\"6\" modelid=\"143\">"
            "<pci busid=\"ffff:ff:0" +
            next +
            ".0\" class=\"0x060400\" link_speed=\"32.0 GT/s PCIe\" link_width=\"16\">"
            "<pci busid=\"000" +
            next +
            ":00:00.0\" class=\"0x030200\"/>"
            // not that of the same number: the file has to be read
            "<pci busid=\"010" +
            std::to_string(i / 4 * 4 + (i + 1) % 4 + 1) +
            ":00:00.0\" class=\"0x020700\"/>"
            "</pci></cpu>\n";
  }
  return text + "</system>\n";
}

TEST(Rented, AzureNdH100v5) {
  Inventory node = nd_h100_v5();
  const auto options = asked("verbs");
  locate_by_nccl(parse_nccl_topology(nd_h100_v5_file()).value(), node);
  const Names all = numbered("mlx5_ib", {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_THAT(devices(node, one_for_all(node), options), ElementsAre(all));
  const auto each = devices(node, one_a_gpu(node), options);
  for (unsigned i = 0; i < 8; ++i)
    EXPECT_THAT(each[i], ElementsAre("mlx5_ib" + std::to_string(i / 4 * 4 + (i + 1) % 4)))
        << "beside GPU " << i;
  expect_shared(node, 96, options, all);
  EXPECT_EQ(test::why_not(node, place(node, {}, options), "mlx5_an0:1"), "Ethernet; roce=yes would allow it");
  EXPECT_FALSE(propose_node_rule(node, options, place(node, {}, options), "n1")) << "all are beside one";
}

// Without the file nobody knows which is near: of eight ports each GPU has one all the same.
TEST(Rented, AzureNdH100v5AsItShowsItself) {
  const Inventory node = nd_h100_v5();
  const auto options = asked("verbs");
  const Names all = numbered("mlx5_ib", {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_THAT(devices(node, one_for_all(node), options), ElementsAre(all));
  const auto each = devices(node, one_a_gpu(node), options);
  EXPECT_THAT(each, testing::Each(SizeIs(1)));
  EXPECT_THAT(used(each), SizeIs(8));
  auto halves = one_a_gpu(node);
  halves.resize(2);
  for (LocalTask& task : halves) task.gpus.clear();
  for (unsigned gpu = 0; gpu < 8; ++gpu) halves[gpu / 4].gpus.push_back(node.gpus[gpu].pci);
  const auto of_halves = devices(node, halves, options);
  EXPECT_THAT(of_halves, testing::Each(SizeIs(4)));
  EXPECT_THAT(used(of_halves), SizeIs(8));
  halves.resize(1);
  halves[0].gpus = {node.gpus[5].pci};
  EXPECT_THAT(devices(node, halves, options)[0], SizeIs(2))
      << "as without GPUs, as others of the node may have none";
  expect_shared(node, 96, options, all);
}

// ---- Azure HBv4: one VF of InfiniBand, four NUMA nodes

TEST(Rented, AzureHbv4) {
  Inventory node = cpus_of(4, 44, 2);
  add_hca(node, "mlx5_ib0", pci_of(0x101, 0), {}, {"host 257"}, 400);
  add_ethernet(node, "mlx5_an0", pci_of(0x8000, 0), {}, {"host 32768"}, 100);
  for (const char* option : {"verbs", "verbs,rails=all", "verbs,roce=fallback"})
    for (const unsigned tasks : {1U, 4U, 176U})
      EXPECT_THAT(devices(node, without_gpus(node, tasks), asked(option)),
                  testing::Each(ElementsAre("mlx5_ib0")));
}

// ---- OCI BM.GPU.H100: a card of two RoCE ports beside each GPU; two front-end cards half as fast, which is
// fast enough

const std::vector<unsigned> oci_rails = {0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17};

Inventory oci_h100() {
  Inventory node = cpus_of(2, 56, 1);
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned bus = 0x10 + 0x18 * i;
    add_gpu(node, pci_of(0, bus + 2), {i / 4}, behind_switch(i, "GPU"));
    for (unsigned function = 0; function < 2; ++function)
      add_ethernet(node, "mlx5_" + std::to_string(oci_rails[2 * i + function]), pci_of(0, bus + 1, function),
                   {i / 4}, behind_switch(i, "NIC"), 200);
  }
  for (unsigned socket = 0; socket < 2; ++socket)
    add_ethernet(node, socket == 0 ? "mlx5_2" : "mlx5_11", pci_of(0, 0x0a + 0x60 * socket), {socket},
                 behind_root_port("front end " + std::to_string(socket)), 100);
  return node;
}

TEST(Rented, OciH100) {
  const Inventory node = oci_h100();
  const Names rails = sorted(numbered("mlx5_", oci_rails));
  for (const auto& options : {asked("verbs,roce=yes"), with_proposal(node, "verbs,roce=yes")}) {
    EXPECT_THAT(devices(node, one_for_all(node), options), ElementsAre(rails));
    const auto each = devices(node, one_a_gpu(node), options);
    for (unsigned i = 0; i < 8; ++i)
      EXPECT_THAT(each[i],
                  ElementsAreArray(sorted(numbered("mlx5_", {oci_rails[2 * i], oci_rails[2 * i + 1]}))));
  }
  const auto ruled = with_proposal(node, "verbs,roce=yes");
  EXPECT_THAT(devices(node, one_for_all(node), with_proposal(node, "verbs,roce=yes,rails=all")),
              ElementsAre(rails));
  expect_shared(node, 112, ruled, rails);
  const auto options = asked("verbs,roce=yes");
  const auto proposal = propose_node_rule(node, options, place(node, {}, options), "n1");
  EXPECT_THAT(proposal->left_out, ElementsAre("mlx5_2:1", "mlx5_11:1"));
}

// ---- AWS p5: four EFA devices beside each GPU, which have no link layer and no LID

TEST(Rented, AwsP5) {
  Inventory node = cpus_of(2, 48, 1);
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned bus = 0x40 + 0x10 * i;
    add_gpu(node, pci_of(0, bus + 5), {i / 4}, behind_switch(i, "GPU"));
    for (unsigned nic = 0; nic < 4; ++nic) {
      Port& port = add_hca(node, "rdmap" + std::to_string(bus + nic) + "s0", pci_of(0, bus + nic), {i / 4},
                           behind_switch(i, "NIC"), 100);
      port.driver = "efa";
      port.link_layer = LinkLayer::unknown;
      port.lid = 0;
      port.subnet_prefix = 0xfe80000000000000;
    }
  }
  SiteConfig site;
  site.drivers = {"efa"};
  EXPECT_THAT(devices(node, one_for_all(node), asked("verbs", site))[0], SizeIs(32));
  EXPECT_THAT(devices(node, one_for_all(node), asked("verbs,rails=all", site))[0], SizeIs(32));
  const auto each = devices(node, one_a_gpu(node), asked("verbs", site));
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned bus = 0x40 + 0x10 * i;
    Names own;
    for (unsigned nic = 0; nic < 4; ++nic) own.push_back("rdmap" + std::to_string(bus + nic) + "s0");
    EXPECT_THAT(each[i], ElementsAreArray(sorted(own)));
  }
  for (const Names& names : devices(node, one_a_gpu(node), asked("verbs,rails=all", site)))
    EXPECT_THAT(names, SizeIs(32));
  EXPECT_THAT(used(devices(node, without_gpus(node, 96), asked("verbs", site))), SizeIs(32));
  EXPECT_THAT(devices(node, one_for_all(node), asked("verbs")), ElementsAre(IsEmpty()))
      << "not the site's driver";
}

// ---- DGX A100: two GPUs and two HCAs behind each of four switches; two cards for storage, as fast as the
// others

Inventory dgx_a100() {
  Inventory node = cpus_of(8, 16, 4);
  const unsigned compute[] = {0, 1, 2, 3, 6, 7, 8, 9}, numa[] = {3, 1, 7, 5};
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned pair = i / 2;
    add_gpu(node, pci_of(0, 0x07 + 0x20 * i), {numa[pair]}, behind_switch(pair, "GPU" + std::to_string(i)));
    add_hca(node, "mlx5_" + std::to_string(compute[i]), pci_of(0, 0x0c + 0x20 * i), {numa[pair]},
            behind_switch(pair, "NIC" + std::to_string(i)), 200);
  }
  add_hca(node, "mlx5_4", pci_of(0, 0x61), {3}, behind_root_port("storage 0"), 200);
  add_hca(node, "mlx5_5", pci_of(0, 0xe1), {5}, behind_root_port("storage 1"), 200);
  return node;
}

TEST(Owned, DgxA100) {
  const Inventory node = dgx_a100();
  const Names compute = numbered("mlx5_", {0, 1, 2, 3, 6, 7, 8, 9});
  for (const auto& options : {asked("verbs"), with_proposal(node, "verbs")}) {
    EXPECT_THAT(devices(node, one_for_all(node), options), ElementsAre(compute));
    const auto each = devices(node, one_a_gpu(node), options);
    for (unsigned i = 0; i < 8; ++i)
      EXPECT_THAT(each[i], ElementsAre(compute[i / 2 * 2], compute[i / 2 * 2 + 1])) << "both of the switch";
  }
  const auto ruled = with_proposal(node, "verbs");
  expect_shared(node, 128, ruled, compute);
  EXPECT_THAT(devices(node, one_for_all(node), with_proposal(node, "verbs,rails=all,gpu=no")),
              ElementsAre(compute));
}

// ---- DGX H100: an HCA beside each GPU; a card for storage and a BlueField on each socket, as fast as the
// others

Inventory dgx_h100() {
  Inventory node = cpus_of(2, 56, 1);
  const unsigned compute[] = {0, 3, 4, 5, 6, 9, 10, 11};
  for (unsigned i = 0; i < 8; ++i) {
    add_gpu(node, pci_of(0, 0x1b + 0x18 * i), {i / 4}, behind_switch(i, "GPU"));
    add_hca(node, "mlx5_" + std::to_string(compute[i]), pci_of(0, 0x18 + 0x18 * i), {i / 4},
            behind_switch(i, "NIC"), 400);
  }
  for (unsigned socket = 0; socket < 2; ++socket)
    for (unsigned i = 0; i < 2; ++i) {
      const std::string name = "mlx5_" + std::to_string(1 + 6 * socket + i);
      // behind the socket's other switch, together
      add_hca(node, name, pci_of(0, 0x2a + 0x60 * socket, i), {socket}, behind_switch(8 + socket, "storage"),
              400);
    }
  return node;
}

TEST(Owned, DgxH100) {
  const Inventory node = dgx_h100();
  const Names compute = numbered("mlx5_", {0, 3, 4, 5, 6, 9, 10, 11});
  for (const auto& options : {asked("verbs"), with_proposal(node, "verbs")}) {
    EXPECT_THAT(devices(node, one_for_all(node), options), ElementsAre(sorted(compute)));
    const auto each = devices(node, one_a_gpu(node), options);
    for (unsigned i = 0; i < 8; ++i) EXPECT_THAT(each[i], ElementsAre(compute[i]));
  }
  expect_shared(node, 112, with_proposal(node, "verbs"), compute);
  const auto options = asked("verbs");
  EXPECT_THAT(propose_node_rule(node, options, place(node, {}, options), "n1")->left_out,
              ElementsAre("mlx5_1:1", "mlx5_2:1", "mlx5_7:1", "mlx5_8:1"));
}

// ---- GB200: two Graces, four GPUs at them by C2C, whose memory is NUMA nodes without CPUs; four HCAs. Each
// device has a PCI domain of its own, so only NUMA nodes say what is near.

TEST(Owned, Gb200) {
  Inventory node = cpus_of(2, 72, 1);
  for (unsigned numa = 2; numa < 34; ++numa) {
    node.numa_nodes.push_back({numa, numa < 18 ? 0U : 1U, {}});
    for (auto& row : node.distances) row.push_back(80);
    node.distances.push_back(std::vector<unsigned>(node.numa_nodes.size() - 1, 80));
    node.distances.back().push_back(10);
    for (std::size_t i = 0; i + 1 < node.distances.size(); ++i)
      node.distances[i].resize(node.numa_nodes.size(), 80);
  }
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned domain = 0x10 * (i / 2) + 8 + i % 2;
    add_gpu(node, pci_of(domain, 1), {i / 2}, {"host " + std::to_string(domain), "root port"});
    const unsigned nic = 0x10 * (i / 2) + 2 * (i % 2);
    add_hca(node, "mlx5_" + std::to_string(i), pci_of(nic, 3), {i / 2},
            {"host " + std::to_string(nic), "root port"}, 400);
  }
  const Names all = numbered("mlx5_", {0, 1, 2, 3});
  const auto options = asked("verbs");
  EXPECT_THAT(devices(node, one_for_all(node), options), ElementsAre(all));
  EXPECT_THAT(devices(node, one_a_gpu(node), options),
              testing::UnorderedElementsAre(ElementsAre("mlx5_0"), ElementsAre("mlx5_1"),
                                            ElementsAre("mlx5_2"), ElementsAre("mlx5_3")));
  const auto each = devices(node, one_a_gpu(node), options);
  for (unsigned i = 0; i < 4; ++i)
    EXPECT_EQ(each[i][0] >= "mlx5_2", i >= 2) << "of the GPU's own Grace: " << i;
  expect_shared(node, 144, options, all);
  EXPECT_FALSE(propose_node_rule(node, options, place(node, {}, options), "n1")) << "none is beside a GPU";
}

// ---- Four Graces of which each shows itself as two NUMA nodes: the HCA at its first, the GPU at the first
// or the second

TEST(Owned, GraceWithSeveralNumaNodesAPackage) {
  const Names all = numbered("mlx5_", {0, 1, 2, 3});
  const auto options = asked("verbs");
  for (const unsigned second : {0U, 1U}) {
    Inventory node = cpus_of(8, 36, 2);
    for (unsigned i = 0; i < 4; ++i) {
      add_gpu(node, pci_of(0x10 * i + 9, 1), {2 * i + second},
              {"host gpu " + std::to_string(i), "root port"});
      add_hca(node, all[i], pci_of(0x10 * i, 3), {2 * i}, {"host nic " + std::to_string(i), "root port"},
              400);
    }
    EXPECT_THAT(devices(node, one_for_all(node), options), ElementsAre(all)) << second;
    const auto each = devices(node, one_a_gpu(node), options);
    for (unsigned i = 0; i < 4; ++i) EXPECT_THAT(each[i], ElementsAre(all[i])) << second;
    const auto placed = devices(node, without_gpus(node, 288), options);
    for (unsigned i = 0; i < 288; ++i)
      EXPECT_THAT(placed[i], ElementsAre(all[i / 72])) << "of its own package: " << i;
  }
}

}  // namespace
}  // namespace cib
