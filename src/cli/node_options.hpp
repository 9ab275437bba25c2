// The options that say which node and which request a command is about, and what they amount to.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "container_ib/inventory.hpp"
#include "container_ib/placement.hpp"

namespace cib::cli {

struct NodeOptions {
  std::string topology;  // hwloc XML or a saved tree; empty: this machine
  std::string sysfs;
  std::string config;
  std::string node;
  std::string option;
  bool tables = false;  // read P_Key and GID tables too

  void add_to(CLI::App& command);
  static void add_node_to(CLI::App& command, std::string& node);      // --node alone
  static void add_config_to(CLI::App& command, std::string& config);  // --config alone, of this machine
  // Without a description this machine is meant.
  bool live() const;
};

// The host's name up to its first dot, as Slurm calls a node that nobody calls otherwise.
std::string node_name_here();

struct NodeQuestion {
  Inventory inventory;
  SiteConfig site;
  Settings settings;
  PlacementOptions placement;
  std::string node;  // by which [[nodes]] was asked; empty: a described node that has no name
  std::vector<EnvironmentRule> rules;  // of the site's file, for this node
  std::vector<std::string> forced;     // what the site sets instead of the request's values, one line each
};

Result<NodeQuestion> ask(const NodeOptions& options);

}  // namespace cib::cli
