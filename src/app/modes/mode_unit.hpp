// A mode: everything that the rest of the program has to know of it. A mode that lacks a part does not
// compile, and one that is missing in the table (modes.cpp) does not either. How to add one:
// doc/add-a-mode.md.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "container_ib/journal.hpp"
#include "container_ib/placement.hpp"
#include "container_ib/world/node.hpp"

namespace cib {

// One interface of a task's network namespace, and the RDMA port beside it.
struct NetworkDevice {
  Port port;  // what the task opens: the VF's own, or in mode ipoib the HCA's
  NetnsFile netns;
  std::string netdev;   // "ib0", or "eth0" where it is of Ethernet
  std::string address;  // "10.40.0.1/16", or empty
};

// What is asked about: a node, by its agent before a step begins, or by the command line.
struct NodeFacts {
  std::string name;  // Slurm's; may be empty
  const Inventory& inventory;
  const SiteConfig& site;
  // Whether an RDMA device belongs to one network namespace instead of to all of them. Empty: of a described
  // node nobody knows, and it counts as no hindrance.
  std::optional<Result<bool>> rdma_is_exclusive;
};

// What is placed: the tasks of a step on its node.
struct PlaceQuestion {
  const NodeFacts& facts;
  Node& node;
  const Settings& settings;
  const std::vector<LocalTask>& tasks;
  PlacementOptions options;
  std::string owner;  // claim_owner() of the step
};

// A step that interfaces are made for. Lives as long as they do.
struct InterfaceFacts {
  Node& node;
  const Settings& settings;
  const SiteConfig& site;
  std::string node_name;
  std::string owner;  // claim_owner() of the step
  bool rdma_is_exclusive = false;
  // Whose network they are made in, beside what is there; empty: in one that is the step's own.
  std::optional<ProcessIdentity> network_of;
  // The names of the step's nodes, once its tasks have reported. Errors: unsupported when the list is too
  // long to be handed over, not_found when it cannot be read.
  std::function<Result<std::vector<std::string>>()> nodes = {};
  std::uint32_t job = 0, step = 0;  // of Slurm
  // Writes the action to the journal, carries it out, and writes that it is done.
  std::function<Status(const Action&)> run;
};

// Makes the interfaces of one step; what was made is undone from the journal.
class Interfaces {
 public:
  virtual ~Interfaces() = default;
  // One interface for a namespace, whatever ports its tasks have; else each port has its own.
  virtual bool one_for_all_ports() const { return false; }
  // Takes what an interface on this port in this namespace needs that no other step may have at the same
  // time. The caller has the turn at claiming.
  virtual Status claim(const NetnsFile& netns, const Port& port) = 0;
  // Makes it, under that name, with what was claimed for it. The caller raises it and gives it its address:
  // one of the site's pool, or that of the result.
  virtual Result<NetworkDevice> add(const NetnsFile& netns, const std::string& netdev, const Port& port) = 0;
  // Whether its interfaces get addresses of the site's pool, if there is one.
  virtual bool uses_pool() const { return true; }
  // What is known of it only once it runs and has its address.
  virtual Status settle(NetworkDevice&) { return {}; }
  // What the interface's name begins with; a number follows.
  virtual std::string name_prefix(const Port& port) const {
    return port.link_layer == LinkLayer::ethernet ? "eth" : "ib";
  }
  // The likely reason when the interface on this port has no carrier: one clause.
  virtual std::string why_no_carrier(const Port& port) const = 0;
};

class ModeUnit {
 public:
  virtual ~ModeUnit() = default;

  // Why the mode cannot be chosen on this node whatever the step asks for, and what would help: one sentence
  // that goes on after the mode's name. The agent asks this before anything is made.
  virtual Status suits(const NodeFacts& facts) const = 0;
  // Why no step would get anything by it here, for people who look at the node; empty when one would.
  virtual std::string lacks(const NodeFacts& facts) const = 0;
  // What it does not give on this node although it can be chosen: one sentence; empty when there is none.
  virtual std::string caveat(const NodeFacts& facts) const = 0;
  // What `doctor` tells besides, one line each.
  virtual std::vector<std::string> notes(const NodeFacts& facts, Node& node) const = 0;

  // Which task gets which ports, as many as the node has to give. Errors say what there is too little of:
  // in_use when there will be enough once other steps have given some back, denied when the site allows
  // fewer, else unusable.
  virtual Result<Assignment> place(const PlaceQuestion& question) const = 0;

  // Null: the tasks stay in the node's network.
  virtual std::unique_ptr<Interfaces> interfaces(InterfaceFacts facts) const = 0;
};

// The mode's unit; null for auto, none and what is not in this version.
const ModeUnit* unit_of(Mode mode);

}  // namespace cib
