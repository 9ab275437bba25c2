// A node in memory: HCAs and VFs, network namespaces, tasks, their mount namespaces and answers, and the
// state directory. Every change to it is counted, so that a test can make the n-th one fail, before or after
// it took effect, or end the agent right before or after it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "container_ib/world/kernel.hpp"
#include "container_ib/world/node.hpp"
#include "container_ib/world/state_store.hpp"
#include "container_ib/world/stored_steps.hpp"
#include "container_ib/world/tasks.hpp"

namespace cib::test {

// What the agent's death looks like to the code under test: the stack is gone. Only tests throw or catch it.
struct AgentDied {};

// The first record of a step whose slurmstepd and agent the node below knows.
inline Opened opened_by(const std::string& boot, const std::string& stepd = "1") {
  Opened open;
  open.stepd = {stepd, stepd};
  open.agent = {"2", "2"};
  open.boot = boot;
  return open;
}

enum class Fault { none, fails, fails_after_effect, agent_dies_before, agent_dies_after };

// For the name of a test.
inline const char* fault_name(Fault fault) {
  switch (fault) {
    case Fault::none:
      return "Nothing";
    case Fault::fails:
      return "ChangeFails";
    case Fault::fails_after_effect:
      return "ChangeFailsHavingTakenEffect";
    case Fault::agent_dies_before:
      return "AgentDiesBefore";
    case Fault::agent_dies_after:
      return "AgentDiesAfter";
  }
  return "";
}

// One that has all that MPI wants.
inline ImageFacts whole_image() {
  ImageFacts facts;
  facts.glibc = "/lib64/ld-linux-x86-64.so.2";
  facts.verbs = ImageVerbs{
      "/usr/lib64/libibverbs.so.1", "rdmav34", "/etc/libibverbs.d", {"mlx5"}, {"libmlx5-rdmav34.so"}};
  facts.ucx = {{"/usr/lib64/libucp.so.0", true, true}};
  return facts;
}

struct FakeTask {
  bool alive = true;
  std::set<std::string> devices;      // what its /dev/infiniband shows, when ours is mounted
  bool knows_its_network = false;     // told; until then a task that may have one waits
  NetnsFile netns;                    // that it was told to enter; empty: the node's
  std::optional<std::string> answer;  // "granted", "declined: ...", "refused: ..."
  std::set<std::string> granted;      // the devices that it had when it was granted
  bool folder_was_whole = false;      // and what it was told of a folder was there
  std::map<std::string, std::string> environment;
  std::vector<std::string> lines;
  std::optional<std::uint64_t> memlock;  // raised to; 0: unlimited
};

// A VF, or an HCA without any, and where its devices are; empty: on the node.
struct FakeVf {
  VfIdentity identity;
  std::string netdev, rdma;
  VfSettings settings = {};
  NetnsFile netdev_in = {}, rdma_in = {};
  std::vector<std::string> addresses = {};
  bool up = false;
  void leave_home(const std::string& name) {
    netdev = name;
    addresses.clear();
    up = false;
  }
  bool operator==(const FakeVf& other) const {
    return netdev == other.netdev && rdma == other.rdma && settings == other.settings &&
           netdev_in == other.netdev_in && rdma_in == other.rdma_in && addresses == other.addresses &&
           up == other.up;
  }
};

class FakeNode final : public Node, public Tasks, public StateStore, public StoredSteps, public Kernel {
 public:
  explicit FakeNode(unsigned tasks) : tasks_(tasks) {}

  // Its HCAs: NUMA node 0 has PU 0-3 and mlx5_0, NUMA node 1 has PU 4-7 and mlx5_1.
  static Inventory two_numa_nodes();

  void inject(unsigned nth_change, Fault fault) { fault_at_ = nth_change, fault_ = fault; }
  // From that change on the file system of the state directory is full, until somebody makes room.
  void fill_state(unsigned from_change) { full_from_ = from_change; }
  void make_room() { full_from_.reset(); }
  unsigned changes() const { return changes_; }
  bool agent_alive = true, stepd_alive = true, relay_alive = true;
  bool agent_ends = true;  // when it is waited for
  std::set<std::string> unkillable;
  std::map<unsigned, Errc> unmountable;  // tasks whose devices cannot be mounted, and how

  FakeTask& task(unsigned id) { return tasks_[id]; }
  SiteConfig site;
  std::optional<Error> site_error;
  Inventory node = two_numa_nodes();
  NodeCounters now;
  std::vector<ContainerUse> in_container;                            // other steps, in whatever container
  std::map<unsigned, std::vector<std::vector<std::string>>> inside;  // containers that tasks have started
  ImageFacts image = whole_image();                                  // of whatever container
  std::map<unsigned, std::vector<std::string>> withheld;             // devices, by task
  std::string glibc = "2.34";                                        // that the node's libraries ask for
  unsigned connections = 0;                                          // to whatever server
  std::set<unsigned> adopted;                    // tasks that have what another step has mounted
  std::uint64_t verbs_of_each_vf = 0;            // bytes that it has sent before any step
  std::vector<Sharer> sharers_before;            // steps that have a port already
  std::map<std::string, PortUse> sharers_since;  // what steps say that have a port too
  std::vector<PortUse> told;                     // what ours says
  RdmaUsers rdma;                                // now
  std::optional<Error> rdma_error;               // why nobody knows

  void add_vfs(unsigned for_each_pf);  // without GUIDs
  void add_devices();                  // of its HCAs, each to be had as a whole, with an address
  void be_ethernet();                  // its HCAs are for RoCE, each with an interface and an address
  bool memlock_may_be_raised = true;
  std::vector<unsigned> asked_for_patience;         // last
  std::vector<std::string> netdevs_there = {"lo"};  // in networks of containers
  bool exclusive = false, carrier = true;
  bool makes_gids = true;
  std::vector<std::string> gids_of;  // addresses of tasks, in the order in which GIDs were made of them
  int carrier_timeout_ms = 0;        // that somebody last waited for
  std::vector<FakeVf> vfs;
  std::set<NetnsFile> network_namespaces;
  std::vector<WidenDeviceCgroup> keeping_cgroups;  // devices from whatever container
  std::set<std::string> widened_cgroups;           // of those, by directory
  std::map<std::string, TaskFolder> folders;   // by path; of one that nobody has filled yet the path is empty
  std::optional<Error> no_folders;             // why none can be made
  std::map<std::string, std::string> claimed;  // by name, the owner
  std::map<std::string, Errc> unclaimable;     // by name, what a claim of it answers
  std::map<std::string, Error> not_whole;      // by device, why no step can have it
  std::map<std::string, std::string> unanswering_pfs;  // by device, why nobody knows its VFs
  std::map<std::string, NetnsFile> made_links;         // of every mode, by owner's tag, where
  std::map<NetnsFile, std::set<std::string>> raised;   // interfaces that are up
  std::set<std::pair<NetnsFile, TcpEndpoint>> relayed;
  // Steps with a journal, as the state directory has them.
  std::map<std::string, std::vector<Record>> journals;
  std::map<std::string, Error> unreadable;       // steps with a journal that cannot be read, and why
  std::function<void()> another_reaper = [] {};  // who has the step when one of ours wants it

  // Node
  Result<SiteConfig> site_config(const std::string&) override;
  Result<Inventory> inventory(const SiteConfig&) override { return node; }
  Result<NodeCounters> counters(const std::vector<PlacedPort>& ports) override;
  Result<RdmaUsers> rdma_users(const std::vector<PlacedPort>&, const std::string&) override {
    return rdma_error ? Result<RdmaUsers>(*rdma_error) : Result<RdmaUsers>(rdma);
  }
  Result<bool> rdma_is_exclusive() override { return exclusive; }
  Result<VfsOfPf> vfs_of(const Port& pf) override;
  Result<WholeDevice> whole_device(const Port& port, const std::string& step) override;
  Result<std::vector<std::uint16_t>> pkeys(const Port& port) override { return port.pkeys; }
  Result<std::map<std::string, std::string>> claims() override { return claimed; }
  Result<unsigned> connections_to(const std::vector<TcpEndpoint>&) override { return connections; }
  Result<std::vector<ContainerUse>> others_in_container(const std::string& container,
                                                        const std::string& step) override;
  Result<std::string> rdma_device(const PciAddress& pci, const NetnsFile& netns) override;
  Result<std::vector<std::string>> netdevs_in(const NetnsFile&) override { return netdevs_there; }
  Result<std::string> netdev_with(const std::string&) override { return std::string("ib0"); }
  Result<std::string> netdev_of(const Port& port) override { return "net-" + port.device; }
  Result<Gid> await_gid(const Port& port, const NetnsFile& netns, const std::string& address,
                        int timeout_ms) override;
  Status await_carrier(const NetnsFile& netns, const std::string& netdev, int timeout_ms) override;
  // Kernel
  Status apply(const Action& action) override;
  Status undo(const Action& action) override;
  Status verify(const Action& action) override;
  Result<std::unique_ptr<ClaimsTurn>> claims_turn() override;
  // Tasks
  Status give_network(unsigned task, const NetnsFile& netns) override;
  Status relay(const NetnsFile& netns, const TcpEndpoint& endpoint) override;
  void end_relay() override { relayed.clear(); }
  Result<std::vector<WidenDeviceCgroup>> device_cgroups_of(unsigned, const std::vector<Port>&,
                                                           bool) override {
    return keeping_cgroups;
  }
  std::vector<std::string> withheld_from(unsigned task) override { return withheld[task]; }
  Result<LentLibraries> lend_providers(unsigned task, const std::vector<std::string>& providers,
                                       const ImageFacts& image) override;
  Status mount_devices(unsigned task, const std::vector<Port>& ports, bool umad) override;
  Status adopt_devices(unsigned task, const std::vector<Port>& ports, bool umad) override;
  Status unmount_devices(unsigned task) override;
  Status fill_folder(unsigned task, const TaskFolder& folder) override;
  Status raise_memlock(unsigned task, std::optional<std::uint64_t> cap) override;
  void ask_for_patience(const std::function<std::vector<unsigned>()>& waiting) override {
    asked_for_patience = waiting();
  }
  void grant(unsigned task, const std::vector<EnvironmentChange>& set, const std::vector<std::string>& lines,
             bool memlock_raised) override;
  void decline(unsigned task, const std::string& why) override;
  void refuse(unsigned task, const std::string& why) override;
  Result<ImageFacts> look_at_image(unsigned) override { return image; }
  std::map<unsigned, std::vector<std::vector<std::string>>> look_inside() override { return inside; }
  std::vector<std::string> kill_survivors(const std::vector<unsigned>& alone) override;
  // StateStore
  Status create(const std::string& step, const Record& first) override;
  std::string directory() const override { return "/state/" + own_step_; }
  Status append(const Record& record) override;
  Status remove() override;
  std::vector<Sharer> share(const std::vector<std::string>&) override { return sharers_before; }
  void tell_use(const std::vector<std::string>&, PortUse use) override { told.push_back(use); }
  std::map<std::string, PortUse> sharers() override { return sharers_since; }
  // StoredSteps
  Result<std::vector<JournaledStep>> steps() override;
  Result<std::string> boot_id() override { return std::string("boot"); }
  bool is_alive(const JournaledProcess& process) override;
  std::vector<std::string> kill(const std::vector<JournaledProcess>& processes) override;
  Status exclusively(const std::string& step, const std::function<void(const JournaledStep&)>& work) override;
  void await_agent(const std::string&) override { agent_alive = agent_alive && !agent_ends; }
  Result<std::string> bury(const std::string& step) override;
  Status forget(const std::string& step) override;
  Status note(const std::string& step, const Record& record) override;
  Result<std::vector<ContainerMount>> device_mounts_of(const JournaledProcess& process,
                                                       const std::string& container) override;
  Status unmount_devices(const JournaledProcess& process, const std::string&,
                         const std::vector<ContainerMount>& mounts) override;
  Status verify_devices(const JournaledProcess& task, const std::vector<Port>& ports) override;
  std::vector<std::vector<std::string>> look_inside(const JournaledProcess&) override { return {}; }

 private:
  template <class Effect>
  Status change(const char* what, Effect effect);
  template <class Effect>
  Status write_state(const char* what, Effect effect);  // a change that needs room there
  FakeTask* task_of(const JournaledProcess& process);
  void answer(unsigned task, const std::string& text);
  struct Doing;
  FakeVf& vf(const VfIdentity& identity);

  std::vector<FakeTask> tasks_;
  bool turn_taken_ = false;
  std::string own_step_;
  unsigned changes_ = 0, fault_at_ = 0;
  std::optional<unsigned> full_from_;
  Fault fault_ = Fault::none;
};

}  // namespace cib::test
