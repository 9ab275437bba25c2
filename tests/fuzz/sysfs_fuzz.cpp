// A sysfs whose files, links and names say anything.
#include "adapters/sysfs/sysfs.hpp"
#include "fuzz/fuzz_input.hpp"
#include "support/temp_tree.hpp"

namespace {

// A file or a link, or nothing, with some chance of being what the kernel would write.
void entry(cib::fuzz::Input& in, const cib::test::TempTree& tree, const std::string& path,
           const char* usual) {
  switch (in.below(6)) {
    case 0:
      return;
    case 1:
      tree.file(path, in.text());
      return;
    case 2: {
      std::string target = in.text();
      target.resize(std::min(target.size(), target.find('\0')));
      // Links that leave the tree would make a run depend on this machine.
      if (!target.empty() && target.find_first_of("/.") == std::string::npos) tree.link(path, target);
      return;
    }
    default:
      tree.file(path, usual);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cib;
  fuzz::Input in(data, size);
  const test::TempTree tree;
  for (unsigned n = in.below(3); n > 0; --n) {
    const std::string device = "class/infiniband/mlx5_" + std::to_string(n);
    const std::string port = device + "/ports/" + std::to_string(in.below(4));
    tree.directory(port + "/gids");
    tree.directory(port + "/pkeys");
    tree.directory(device + "/device/net/ib0");
    entry(in, tree, device + "/node_guid", "506b:4b03:003c:eee8\n");
    entry(in, tree, device + "/sys_image_guid", "506b:4b03:003c:eee8\n");
    entry(in, tree, device + "/device/numa_node", "0\n");
    entry(in, tree, device + "/device/current_link_speed", "16.0 GT/s PCIe\n");
    entry(in, tree, device + "/device/current_link_width", "16\n");
    entry(in, tree, device + "/device/driver", "x");
    entry(in, tree, device + "/device/physfn", "x");
    entry(in, tree, device + "/device/net/ib0/dev_port", "0\n");
    entry(in, tree, port + "/state", "4: ACTIVE\n");
    entry(in, tree, port + "/phys_state", "5: LinkUp\n");
    entry(in, tree, port + "/link_layer", "InfiniBand\n");
    entry(in, tree, port + "/rate", "200 Gb/sec (4X HDR)\n");
    entry(in, tree, port + "/lid", "0x26\n");
    entry(in, tree, port + "/gids/0", "fe80:0000:0000:0000:506b:4b03:003c:eee8\n");
    entry(in, tree, port + "/pkeys/0", "0xffff\n");
  }
  Inventory node;
  (void)merge_sysfs(tree.path(), {.tables = true, .complete = in.below(2) == 0}, node);
  const std::vector<LocalTask> tasks(3);
  fuzz::check(node, tasks, {}, place(node, tasks, {}));
  return 0;
}
