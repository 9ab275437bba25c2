// The private network of a step (modes vf and ipoib): the network namespaces of its tasks and what is in
// them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/step_journal.hpp"
#include "app/vf_places.hpp"
#include "container_ib/ports/kernel.hpp"
#include "container_ib/ports/node.hpp"

namespace cib {

// One interface of a task's network namespace, and the RDMA port beside it.
struct NetworkDevice {
  Port port;  // what the task opens: the VF's own, or in mode ipoib the HCA's
  NetnsFile netns;
  std::string netdev;   // "ib0"
  std::string address;  // "10.40.0.1/16", or empty
};

class StepNetwork {
 public:
  StepNetwork(Kernel& kernel, Node& node, StepJournal& journal)
      : kernel_(kernel), node_(node), journal_(journal) {}

  // Whether this node can do the mode at all; the error says what it lacks.
  Status begin(const Settings& settings, const SiteConfig& site, const std::string& node_name,
               const std::string& owner, const std::string& directory);
  // False: the tasks stay in the node's network, and nothing else here is called.
  bool is_private() const { return private_; }
  // Whether the tasks have VFs that others on the node can open too (the RDMA subsystem's shared mode).
  bool shares_vfs() const { return settings_.mode == Mode::vf && !exclusive_; }

  // The namespace that the task is to enter, made when it is the first.
  Result<NetnsFile> join(unsigned task);

  // While the result lives no other step on this node claims anything. For what follows up to claim().
  Result<std::unique_ptr<ClaimsTurn>> claims_turn() { return kernel_.claims_turn(); }
  // The VFs of the PFs that may serve by themselves; what placement has to know in mode vf.
  Result<VfCapacity> capacity(const Inventory& inventory, const PlacementOptions& options);
  // What a task wants an interface for each of.
  struct Wish {
    unsigned task = 0;
    unsigned rank = 0;  // for who reads why not
    std::vector<Port> ports;
  };
  // Whether there are addresses for all of it. In_use: not now, but when other steps have given theirs back.
  Status check_addresses(const std::vector<Wish>& wishes);
  // Takes the VFs and addresses, which nobody else can have then.
  Status claim(const std::vector<Wish>& wishes);

  // Puts an interface for each of the ports into the task's namespace, unless it is there already, as in a
  // namespace that the node's tasks share. They were claimed.
  Result<std::vector<NetworkDevice>> attach(unsigned task, const std::vector<Port>& ports);
  // Until all of them run. Calls `meanwhile` after each.
  Status await_carriers(const std::function<void()>& meanwhile);

  bool has_joined() const { return !devices_.empty(); }  // some task is in a namespace of ours

  // Everything that was made goes, also what was only begun; first the interfaces, so that the tasks'
  // namespaces may stay. What could not be given back, one line each.
  std::vector<std::string> give_interfaces_back();
  std::vector<std::string> give_all_back();

 private:
  Status run(const Action& action);
  Status raise(const NetnsFile& netns, const std::string& netdev, const std::string& address);
  template <class Choose>
  std::vector<std::string> give_back(Choose choose);
  // What an interface has that no other can have.
  struct Claimed {
    FreeVf vf;            // with its owner; only in mode vf
    std::string address;  // or empty
  };
  using Place = std::pair<NetnsFile, std::string>;  // a namespace and the name of a port

  Result<NetworkDevice> add_vf(const NetnsFile& netns, const std::string& netdev, const Port& pf,
                               const Claimed& claimed);
  Result<NetworkDevice> add_child(const NetnsFile& netns, const std::string& netdev, const Port& port,
                                  const Claimed& claimed);
  Result<FreeVf> claim_vf(const Port& pf);
  Result<std::string> claim_address();
  NetnsFile netns_of(unsigned task) const;
  std::set<Place> not_claimed_of(const std::vector<Wish>& wishes) const;

  Kernel& kernel_;
  Node& node_;
  StepJournal& journal_;
  Settings settings_;
  SiteConfig site_;
  std::string node_name_, owner_, directory_;
  bool private_ = false, exclusive_ = false;
  std::map<NetnsFile, std::vector<NetworkDevice>> devices_;  // of the namespaces that were made
  std::map<Place, Claimed> claimed_;
};

// Whether a step may have the VF: one without GUIDs only where the site has them generated.
bool may_be_given(const FreeVf& vf, const SiteConfig& site);

// Whether the mode gives a task a network namespace of its own.
bool is_private(Mode mode);

}  // namespace cib
