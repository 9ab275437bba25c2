// The private network of a step: the network namespaces of its tasks, the interfaces that its mode makes in
// them, and their addresses.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/modes/mode_unit.hpp"
#include "app/step_actions.hpp"
#include "container_ib/world/kernel.hpp"
#include "container_ib/world/node.hpp"

namespace cib {

class StepNetwork {
 public:
  StepNetwork(Kernel& kernel, StepActions& actions) : kernel_(kernel), actions_(actions) {}

  // `directory`: where the files of the namespaces are.
  void begin(const ModeUnit& mode, InterfaceFacts facts, const std::string& directory);
  // False: the tasks stay in the node's network, and nothing else here is called.
  bool is_private() const { return interfaces_ != nullptr; }

  // The namespace that the task is to enter, made when it is the first. Where the facts name a process it is
  // that one's, which is there.
  Result<NetnsFile> join(unsigned task);

  // While the result lives no other step on this node claims anything. For what follows up to claim().
  Result<std::unique_ptr<ClaimsTurn>> claims_turn() { return kernel_.claims_turn(); }
  // What a task wants an interface for each of.
  struct Wish {
    unsigned task = 0;
    std::string who;  // for who reads why not: "rank 3"
    std::vector<Port> ports;
  };
  // Its interfaces have addresses of the site's pool.
  bool uses_pool() const;
  // Whether there are addresses for all of it. In_use: not now, but when other steps have given theirs back.
  Status check_addresses(const std::vector<Wish>& wishes);
  // Takes what the interfaces need that nobody else can have then, addresses among it.
  Status claim(const std::vector<Wish>& wishes);

  // Puts an interface for each of the ports into the task's namespace, unless it is there already, as in a
  // namespace that the node's tasks share. They were claimed.
  Status attach(unsigned task, const std::vector<Port>& ports);
  // What the task has for these ports by now.
  std::vector<NetworkDevice> devices_of(unsigned task, const std::vector<Port>& ports) const;
  // Until all of them run and are known whole. Calls `meanwhile` after each.
  Status await_carriers(const std::function<void()>& meanwhile);

  bool has_joined() const { return !devices_.empty(); }  // some task is in a namespace of ours

  // Everything of the step that was done to the node goes, also what was only begun; first the interfaces, so
  // that the tasks' namespaces may stay. What could not be given back, one line each.
  std::vector<std::string> give_interfaces_back();
  std::vector<std::string> give_all_back();

 private:
  using Place = std::pair<NetnsFile, std::string>;  // a namespace and the name of a port in it

  Place place_of(const NetnsFile& netns, const Port& port) const;
  Result<NetworkDevice> another(const NetnsFile& netns, const std::vector<NetworkDevice>& present,
                                const Port& port);
  Result<std::string> free_name(const NetnsFile& netns, const std::vector<NetworkDevice>& present,
                                const std::string& prefix) const;
  Result<NetworkDevice> add(const NetnsFile& netns, const std::string& netdev, const Port& port);
  Result<std::string> claim_address();
  Status await_carrier(const NetworkDevice& device) const;
  NetnsFile netns_of(unsigned task) const;
  std::set<Place> not_claimed_of(const std::vector<Wish>& wishes) const;

  Kernel& kernel_;
  StepActions& actions_;
  std::unique_ptr<Interfaces> interfaces_;
  std::optional<InterfaceFacts> step_;  // since begin()
  std::string directory_;
  std::map<NetnsFile, std::vector<NetworkDevice>> devices_;  // of the namespaces that were made
  std::map<Place, std::string> claimed_;                     // with the address, or none
};

}  // namespace cib
