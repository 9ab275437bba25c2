// Where the facts about a node come from.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "container_ib/model.hpp"

namespace cib {

struct InventorySource {
  enum class Kind {
    live,    // this machine
    xml,     // hwloc's XML, or NCCL's (NCCL_TOPO_FILE), in the file `path`
    fsroot,  // a saved tree (hwloc-gather-topology) whose proc and sys are below `path`
  };
  Kind kind = Kind::live;
  std::string path = {};
  // A directory with class/infiniband in it, or one whose sys/ has it: states, rates and so on are read
  // there. Empty: /sys when live, sys/ of the tree with fsroot, and only what the XML says with xml. NCCL's
  // XML says where PCI devices are and nothing else about the machine whose sysfs it is: this one, or a saved
  // tree's.
  std::optional<std::string> sysfs = {};
  // Read the P_Key and GID tables too. Off by default: each P_Key is a query to the firmware.
  bool tables = false;
  // With xml: a file of hwloc's is an error of code unsupported.
  bool nccl_only = false;
  // A directory where this machine's structure is kept between steps; it is discovered anew after a boot and
  // when CPUs, NUMA nodes or PCI or RDMA devices change. Empty: discover each time. States, rates, LIDs and
  // GIDs are never kept.
  std::string cache = {};
};

// Never binds the caller, runs no GPU backend, and ends within seconds whatever the machine or file does:
// hwloc works in a child process. Call it from a single-threaded program.
Result<Inventory> load_inventory(const InventorySource& source);

// Whether it is a sysfs of the kernel that runs here.
bool is_this_machines(const std::string& sysfs);

// That `root` has the proc and sys of a machine below it; the error says what is missing.
Status check_saved_tree(const std::string& root);

// Whether the file is NCCL's topology XML and not hwloc's; an error when it is neither or cannot be read.
Result<bool> is_nccl_file(const std::string& path);

// An inventory as text and back, strictly: decode(encode(x)) is x, and other text is an error of code
// corrupt.
std::string encode_inventory(const Inventory& inventory);
Result<Inventory> decode_inventory(std::string_view text);

}  // namespace cib
