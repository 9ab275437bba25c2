// Which modes a node can do, for whoever tells it.
#pragma once

#include <optional>
#include <string>

#include "node_options.hpp"

namespace cib::cli {

// What decides it.
struct Abilities {
  bool port = false, vf = false;
  // Of a described node nobody knows these, and they count as no hindrance.
  std::optional<bool> exclusive = {};  // whether RDMA devices belong to one network namespace, or to all
  bool forbids_shared = false;         // the site, mode vf there
  bool no_ipoib = false;               // no InfiniBand port has an IPoIB interface
  std::string no_rdma = {};            // why the kernel's RDMA subsystem does not answer
};

// `has_port`: whether some port is eligible.
Abilities abilities_of(const NodeQuestion& question, bool has_port, bool live);

// Why the node cannot do the mode, and what would help; empty when it can.
std::string why_not(Mode mode, const Abilities& node);

// What a mode that the node can do does not give here; empty where there is nothing to say.
std::string caveat(Mode mode, const Abilities& node);

}  // namespace cib::cli
