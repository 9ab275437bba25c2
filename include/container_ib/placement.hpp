// Which port serves which task: a pure function of the node, all local tasks and the options.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "container_ib/config.hpp"
#include "container_ib/model.hpp"

namespace cib {

struct LocalTask {
  unsigned id = 0;                        // Slurm's local task id
  CpuSet mask;                            // empty: unknown; then it gets every port it may use
  std::vector<PciAddress> gpus;           // its GPUs; empty when it has none
  std::vector<std::string> allowed_nics;  // SLURM_STEP_NICS; empty: all
  bool bound = true;                      // false: nothing chose the mask, slurmstepd has the same
};

struct PlacementOptions {
  Place place = Place::balanced;
  unsigned rails = 0;  // 0: auto; all_rails
  bool use_gpus = true;
  // rails=auto: whether a task with GPUs gets every port beside them. Only where a port costs nothing but its
  // name, as in mode verbs: elsewhere each is an interface.
  bool all_near_gpus = true;
  Roce roce = Roce::no;
  std::string fabric = "auto";                // or "all", or subnet_text()
  std::optional<SiteFabric> site_fabric;      // the site's that the step uses
  std::string hca = "*";                      // the user's selection
  std::vector<std::string> site_hca = {"*"};  // the site's for this node
  std::optional<std::uint16_t> pkey;          // that a port has to have, where its table is known
  // VFs and whole devices that steps have, and which.
  std::map<PciAddress, std::string> claimed = {};
  std::vector<std::string> drivers;  // allowed drivers; empty: all
  // The RDMA devices that the tasks' container shows; empty: all.
  std::optional<std::vector<std::string>> shown = {};
  double min_rate_fraction = 0.5;
  // Mode vf: how many VFs each PF has to give. A port stands for its PF's VFs then, and at most so many tasks
  // get it; with shared_vfs one is enough for all of them.
  std::optional<std::map<PciAddress, unsigned>> free_vfs;
  std::map<PciAddress, std::string> why_no_vf;  // of PFs without, where it is not that none is free
  bool shared_vfs = false;
  // Mode device: what is handed out is the port's whole device, and not a VF of it.
  bool whole_devices = false;
  bool has_site_rule = false;  // site_hca is what a [[nodes]] entry says of the node
};

// Whether the port by itself, whatever the others are, may serve MPI.
bool may_serve(const Port& port, const PlacementOptions& options);

// From the settings of a step and the site's rules for the node of that name.
PlacementOptions placement_options(const Settings& settings, const SiteConfig& site,
                                   const std::string& node_name);

struct PortVerdict {
  std::size_t port = 0;  // index in Inventory::ports
  bool eligible = false;
  std::string why_not;         // one reason, when not eligible
  std::string remark = {};     // what is odd about it, eligible or not; mostly empty
  std::string connector = {};  // same text for ports behind one connector
};

struct TaskPlacement {
  unsigned task = 0;
  std::vector<std::size_t> ports;  // indexes in Inventory::ports, best first; empty when nothing is eligible
  unsigned distance = 0;           // mean SLIT x 100 of the first port; 1000 is local
  std::string locality;            // "same NUMA node", "same package", "other package", "unknown locality"
};

struct Assignment {
  std::vector<PortVerdict> verdicts;  // sorted by PCI address, device name, port number
  std::vector<TaskPlacement> tasks;   // in ascending task id
  std::vector<std::string> notes;     // what whoever asked should know of the node's ports, a line each
  std::string plan;                   // short hash over all inputs and the answer
};

// Indexes in Inventory::ports of those that are eligible, in the order of the verdicts.
std::vector<std::size_t> eligible_ports(const Assignment& assignment);

// Deterministic; no clock, pid or hash order; the same for any order of the inputs' members.
Assignment place(const Inventory& node, const std::vector<LocalTask>& tasks, const PlacementOptions& options);

}  // namespace cib
