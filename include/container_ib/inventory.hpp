// Where the facts about a node come from.
#pragma once

#include <optional>
#include <string>

#include "container_ib/model.hpp"

namespace cib {

struct InventorySource {
  enum class Kind {
    live,    // this machine
    xml,     // hwloc's XML in the file `path`
    fsroot,  // a saved tree (hwloc-gather-topology) whose proc and sys are below `path`
  };
  Kind kind = Kind::live;
  std::string path;
  // A directory with class/infiniband in it, or one whose sys/ has it: states, rates and so on are read
  // there. Empty: /sys when live, sys/ of the tree with fsroot, and only what the XML says with xml.
  std::optional<std::string> sysfs;
  // Read the P_Key tables too. Off by default: each entry is a query to the firmware.
  bool pkeys = false;
};

// Never binds the caller, runs no GPU backend, and needs no thread but changes the process's environment for
// a moment: call it from a single-threaded program.
Result<Inventory> load_inventory(const InventorySource& source);

}  // namespace cib
