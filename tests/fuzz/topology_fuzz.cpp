// XML of hwloc and of NCCL from anywhere: read in a child process, so that the worst a file can do is to be
// refused.
#include "container_ib/inventory.hpp"
#include "fuzz/fuzz_input.hpp"
#include "support/temp_tree.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cib;
  const test::TempTree tree;
  tree.file("node.xml", std::string(reinterpret_cast<const char*>(data), size));
  const auto node = load_inventory({.kind = InventorySource::Kind::xml, .path = tree.path("node.xml")});
  if (!node) return 0;
  std::vector<LocalTask> tasks(4);
  for (unsigned i = 0; i < tasks.size(); ++i) {
    tasks[i].id = i;
    if (i < node->cores.size()) tasks[i].mask = node->cores[i];
  }
  fuzz::check(*node, tasks, {}, place(*node, tasks, {}));
  return 0;
}
